"""Messages are safe to send, and the same if they are built again."""

import email
import email.policy
import uuid
from datetime import UTC, datetime
from html import unescape

import pytest

from goodword.config.settings import Settings
from goodword.languages import LANGUAGES
from goodword.mail import delivery, messages
from goodword.mail.messages import MessageContents, MessageKind
from goodword.users import addresses

pytestmark = pytest.mark.one_database

JOB = uuid.UUID("019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11")
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
LINK = "https://refer.example.com/verify-email#token=gwv_" + "x" * 43


SITE = "https://refer.example.com"


def write(
    kind=MessageKind.VERIFY_EMAIL,
    *,
    to="alice@example.com",
    site=SITE,
    link=LINK,
    name="Bob",
    settings=None,
    **options,
):
    contents = MessageContents(
        recipient=options.pop("recipient", "Alice"),
        link=link,
        name=name,
        code="7KQ2M9XWPA",
        earned="$4.99",
        expires_at="2030-02-03, 12:00 UTC",
        days=3,
        unsubscribe_link=options.pop("unsubscribe_link", None),
    )
    return messages.build_message(
        kind,
        to=to,
        job_id=JOB,
        settings=Settings(public_url=site, **(settings or {})),
        now=NOW,
        contents=contents,
        **options,
    )


def read(message):
    return email.message_from_bytes(message.as_bytes(), policy=email.policy.default)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MessageKind)
def test_each_message_has_a_subject_a_text_and_the_same_html(kind, language):
    found = read(write(kind, language=language))
    text, html = (found.get_body((form,)).get_content() for form in ("plain", "html"))

    assert 10 < len(found["Subject"]) < 60
    assert "https://refer.example.com" in text
    shown = unescape(html)
    for line in text.splitlines():
        assert line.removesuffix(":") in shown or line == "-- "
    assert text.startswith(("Hi Alice,", "Здравствуйте, Alice!"))
    assert all(len(line) < 998 for line in write(kind, language=language).as_bytes().split(b"\r\n"))


def test_headers_mark_an_automatic_message():
    found = read(write())

    assert found["To"] == "alice@example.com"
    assert found["From"] == "Goodword <no-reply@refer.example.com>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Message-ID"].strip() == f"<verify_email.{JOB}@refer.example.com>"
    assert found["Date"].datetime == NOW


def test_a_link_is_not_folded():
    message = write()

    assert f"\r\n{LINK}\r\n" in message.as_bytes().decode()  # people copy it from the saved file
    assert f'<a href="{LINK}">' in read(message).get_body(("html",)).get_content()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MessageKind)
def test_no_line_is_longer_than_76_characters(kind, language):
    """RFC 2045 §6.7 and §6.8, and RFC 5322 §2.1.1, where only a link or an address in ASCII may be longer."""
    sent = write(kind, language=language, unsubscribe_link=LINK, name="Ярослава Б.").as_bytes()
    long = [line for line in sent.decode("ascii").split("\r\n") if len(line) > 76]

    assert all(len(line) < 998 for line in long)
    assert set(long) <= {LINK, f" <{LINK}>"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_long_headers_arrive_as_they_were_written(language):
    address = f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.example"
    sent = write(MessageKind.INVITATION, language=language, to=address, unsubscribe_link=LINK).as_bytes()
    found = email.message_from_bytes(sent, policy=email.policy.default)

    assert found["To"].addresses[0].addr_spec == address
    assert found["List-Unsubscribe"].strip() == f"<{LINK}>"
    assert found["Message-ID"].strip() == f"<invitation.{JOB}@refer.example.com>"


def test_html_is_escaped():
    sent = write(link='https://refer.example.com/"><script>').as_bytes().decode()

    assert "<script>" not in sent.partition("text/html")[2]


@pytest.mark.parametrize(
    "to",
    [
        "o'brien+tag@example.com",
        "älice@bücher.example",
        "a!#$%&*/=?^_`{|}~b@example.com",
        "x@" + "d" * 60 + ".example",
    ],
)
def test_a_message_can_be_sent_to_every_valid_address(to):
    assert read(write(to=to))["To"] == to


@pytest.mark.parametrize("to", ["a@b.example\r\nBcc: eve@example.com", "a\n@b.example", "a\r@b.example"])
def test_an_address_with_a_line_break_is_rejected(to):
    with pytest.raises(ValueError, match=r".+"):
        write(to=to).as_bytes()


@pytest.mark.parametrize(
    ("site", "host"),
    [
        ("http://127.0.0.1:8000", "localhost"),
        ("http://[::1]:8000", "localhost"),
        ("https://bücher.example/refer", "xn--bcher-kva.example"),
    ],
)
def test_the_default_sender_has_a_mail_domain(site, host):
    assert read(write(site=site))["From"].addresses[0].domain == host


async def test_save_writes_a_private_file(tmp_path):
    folder = tmp_path / "data" / "emails"

    await delivery.save(write(), folder, name="verify_email-1")
    await delivery.save(write(to="bob@example.com"), folder, name="verify_email-1")

    (path,) = folder.iterdir()
    assert path.name == "verify_email-1.eml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert b"To: bob@example.com\r\n" in path.read_bytes()


async def test_save_leaves_nothing_if_the_folder_is_not_writable(tmp_path):
    (tmp_path / "emails").write_text("a file is in the way")

    with pytest.raises(OSError, match="emails"):
        await delivery.save(write(), tmp_path / "emails", name="verify_email-1")


@pytest.mark.parametrize(
    "domain", ["faß.de", "βόλος.com", "ᲀ.com", "bücher.example", "EXAMPLE.com", "Ⅷ.example"]
)
def test_an_international_domain_is_encoded_by_idna_2008(domain):
    # Python's own codec would send those of faß.de to fass.de, who could then choose the password.
    address = addresses.parse(f"bob@{domain}")
    message = write(MessageKind.RESET_PASSWORD, to=address.text)

    assert message["To"].addresses[0].addr_spec.lower() == address.key


BRAND = {
    "brand_name": "Acme & Söhne",
    "brand_color": "#ffcc00",
    "postal_address": "1 Main Street, Springfield",
    "support_email": "help@acme.example",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MessageKind)
def test_no_message_of_a_brand_names_goodword(kind, language, tmp_path):
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n the logo")

    found = read(write(kind, language=language, settings=BRAND | {"brand_logo": logo}))

    text, html = (found.get_body((form,)).get_content() for form in ("plain", "html"))
    for shown in (found["From"], found["Subject"], text, html):
        assert "goodword" not in shown.lower()
    assert "Acme & Söhne <no-reply@refer.example.com>" in found["From"]
    for line in ("Acme & Söhne, 1 Main Street, Springfield", "help@acme.example"):
        assert line in text
        assert line.replace("&", "&amp;") in html
    pictures = [part for part in found.walk() if part.get_content_type() == "image/png"]
    assert [(part["Content-ID"], part.get_content()) for part in pictures] == [("<logo>", logo.read_bytes())]
    assert 'src="cid:logo"' in html


def test_mail_programs_are_not_sent_an_svg(tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')

    found = read(write(settings={"brand_logo": logo, "brand_name": "Acme"}))

    assert [part.get_content_type() for part in found.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert ">Acme</p>" in found.get_body(("html",)).get_content()


def bodies(found):
    """Return the text and the HTML of a message."""
    parts = (found.get_body((form,)).get_content() for form in ("plain", "html"))
    return [part.replace("\r\n", "\n") for part in parts]


def test_a_button_has_the_plain_link_under_it_and_its_label_in_the_text():
    found = read(write(settings={"brand_color": "#ffcc00"}))
    text, html = bodies(found)

    assert f"Confirm e-mail:\n{LINK}\n" in text
    button, _, below = html.partition(">Confirm e-mail</a>")
    assert button.rpartition("<a ")[2].startswith(f'href="{LINK}"')
    assert f'Or open this link:<br><a href="{LINK}">{LINK}</a>' in below


@pytest.mark.parametrize("name", [None, "Win at www.evil.example", "<b>Eve</b>", "{brand}", "x" * 41])
def test_a_recipient_without_a_plain_name_is_greeted_without_it(name):
    text, _ = bodies(read(write(recipient=name)))

    assert text.startswith("Hello,\n")


def test_an_invitation_shows_the_offer_in_the_language():
    settings = {"offer": "en=Three months free; ru=Три месяца бесплатно"}

    for language, offer in (("en", "Three months free"), ("ru", "Три месяца бесплатно")):
        found = read(write(MessageKind.INVITATION, language=language, settings=settings))
        assert all(offer in body for body in bodies(found))
