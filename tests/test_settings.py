"""Settings from the environment and `.env`, and what a wrong one does."""

import stat
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from goodword.config.loading import SECRETS, load, with_own_secret
from goodword.config.settings import PREFIX, Settings, SettingsError
from goodword.mail.messages import MessageContents, MessageKind, build_message
from serving import ROOT, goodword

SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"


def load_from(tmp_path, env_text="", **environ):
    file = tmp_path / ".env"
    file.write_text(env_text)
    return load({PREFIX + name: value for name, value in environ.items()}, file)


def test_defaults_are_enough(tmp_path):
    settings = load_from(tmp_path)

    assert settings.embedded
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.docs_shown


def test_the_environment_wins_over_the_file(tmp_path):
    settings = load_from(tmp_path, "GOODWORD_PUBLIC_URL=https://a.example\n", PUBLIC_URL="https://b.example/")

    assert settings.public_url == "https://b.example"


def test_an_unknown_name_is_refused_and_named(tmp_path):
    with pytest.raises(SettingsError, match="GOODWORD_PUBLIC_UR is not a setting"):
        load_from(tmp_path, PUBLIC_UR="https://a.example")


def test_names_of_others_are_none_of_ours(tmp_path):
    assert load({"PATH": "/bin", "GOODWORDS": "x"}, tmp_path / "missing.env")


def test_all_that_is_wrong_is_told_at_once_without_the_values(tmp_path):
    with pytest.raises(SettingsError) as refused:
        load_from(tmp_path, PASSWORD_MIN_LENGTH="seven", EMAIL_CHECK="hunter2", NONSENSE="hunter2")

    text = str(refused.value)
    assert all(name in text for name in ("PASSWORD_MIN_LENGTH", "EMAIL_CHECK", "NONSENSE"))
    assert "hunter2" not in text
    assert "seven" not in text


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_can_stand_in_a_file(tmp_path, name):
    value = {
        "database_url": "sqlite+aiosqlite:///x.db",
        "redis_url": "redis://x",
        "replica_url": "postgresql://replica/x",
        "smtp_url": "smtp://x",
    }.get(name, SECRET)
    (tmp_path / "secret").write_text(value + "\n")

    beside = {  # what makes no sense without them
        "replica_url": {"DATABASE_URL": "postgresql://primary/x"},
        "google_client_secret": {"GOOGLE_CLIENT_ID": "x"},
        "github_client_secret": {"GITHUB_CLIENT_ID": "x"},
        "oidc_client_secret": {"OIDC_CLIENT_ID": "x", "OIDC_ISSUER": "https://id.example"},
    }.get(name, {})

    settings = load_from(tmp_path, **{f"{name.upper()}_FILE": str(tmp_path / "secret")}, **beside)

    assert getattr(settings, name).get_secret_value() == value


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SettingsError, match="GOODWORD_SECRET_KEY_FILE"):
        load_from(tmp_path, SECRET_KEY_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize("content", [b"", b"\n", b" \t\r\n"], ids=["empty", "line break", "blanks"])
@pytest.mark.parametrize("name", sorted(SECRETS))
def test_an_empty_secret_file_stops_the_start(tmp_path, name, content, environment):
    (tmp_path / "secret").write_bytes(content)

    with pytest.raises(SettingsError, match=f"GOODWORD_{name.upper()}_FILE: the file is empty"):
        load_from(tmp_path, ENVIRONMENT=environment, **{f"{name.upper()}_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf%s\n",
        b"%s\x00",
        b"\x00%s",
        b"%s\nsecond line\n",
        b"%s\r\nsecond line",
        b"%s\x0b%s",
        b"%s\x7f",
        "%s\u2028x".encode(),
        "%s".encode("utf-16"),
    ],
    ids=["BOM", "NUL", "first NUL", "lines", "DOS lines", "tab", "delete", "separator", "UTF-16"],
)
def test_a_secret_file_of_anything_but_one_line_stops_the_start(tmp_path, content):
    (tmp_path / "secret").write_bytes(content.replace(b"%s", SECRET.encode()))

    with pytest.raises(SettingsError, match="GOODWORD_SECRET_KEY_FILE") as refused:
        load_from(tmp_path, SECRET_KEY_FILE=str(tmp_path / "secret"))

    assert SECRET not in str(refused.value)


def test_a_short_secret_is_refused_from_a_file_too(tmp_path):
    (tmp_path / "secret").write_text("short\n")

    with pytest.raises(SettingsError, match="GOODWORD_SECRET_KEY must have 32 characters"):
        load_from(tmp_path, SECRET_KEY_FILE=str(tmp_path / "secret"))


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "METRICS_TOKEN", "ALLOWED_HOSTS", "DATA_DIR"])
@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_blank_value_stops_the_start(tmp_path, name, where):
    """Or what was to be set would be unset, and the key 32 blanks."""
    blanks = " " * 40
    text, environ = (f"GOODWORD_{name}='{blanks}'\n", {}) if where == "file" else ("", {name: blanks})

    with pytest.raises(SettingsError, match=f"GOODWORD_{name} is blank"):
        load_from(tmp_path, text, **environ)


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("value", ["", "  ", f"{SECRET}\n{SECRET}", f"{SECRET}\ufeff", f"{SECRET}\udcff"])
def test_no_secret_is_empty_or_several_lines_however_it_comes(name, value):
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({name: SecretStr(value)})

    assert refused.value.errors()[0]["loc"] == (name,)


def test_blanks_around_a_secret_do_not_count(tmp_path):
    with pytest.raises(SettingsError, match="GOODWORD_SECRET_KEY must have 32 characters"):
        load_from(tmp_path, f"GOODWORD_SECRET_KEY='short{' ' * 40}'\n")


def test_a_byte_order_mark_does_not_hide_the_first_setting(tmp_path):
    """Or the service would start a new database of its own."""
    settings = load_from(tmp_path, "\ufeffGOODWORD_DATABASE_URL=sqlite+aiosqlite:///mine.db\n")

    assert settings.database == "sqlite+aiosqlite:///mine.db"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b'GOODWORD_ENVIRONMENT="production\nGOODWORD_DOCS=on\n', 1, "close each quotation mark"),
        (b"\n\n# ours\nGOODWORD_ENVIRONMENT: production\n", 4, "NAME=value"),
        (b"GOODWORD_ENVIRONMENT:production\n", 1, "NAME=value"),
        (b"GOODWORD_DOCS=on\nexport GOODWORD_ENVIRONMENT\n", 2, "NAME=value"),
        (b"GOODWORD_DOCS=on\n\nnothing to read here\n", 3, "NAME=value"),
        (b'GOODWORD_OIDC_NAME="a\nGOODWORD_ENVIRONMENT=production\nb"\n', 1, "not closed in the same line"),
        (b"OTHER='a\nGOODWORD_ENVIRONMENT=production\nb'\n", 1, "not closed in the same line"),
        ("GOODWORD_DOCS=on\nGOODWORD_OIDC_NAME=Käthe\n".encode("latin-1"), 2, "UTF-8"),
        ("GOODWORD_ENVIRONMENT=production\n".encode("utf-16"), 1, "UTF-8"),
        ("GOODWORD_ENVIRONMENT=production\n".encode("utf-16-le"), 1, "UTF-8"),
    ],
)
def test_a_line_that_cannot_be_read_stops_the_start(tmp_path, content, line, reason):
    """Or the service would run in development without a word."""
    file = tmp_path / ".env"
    file.write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        load({}, file)

    assert str(refused.value).startswith(f"{file}:{line} ")
    assert reason in str(refused.value)
    assert "production" not in str(refused.value)


def test_all_lines_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(SettingsError) as refused:
        load_from(tmp_path, "GOODWORD_DOCS: on\nGOODWORD_CACHE=on\nGOODWORD_ENVIRONMENT\n")

    assert [line.partition(" ")[0] for line in str(refused.value).splitlines()] == [
        f"{tmp_path}/.env:1",
        f"{tmp_path}/.env:3",
    ]


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself"])
def test_an_env_file_that_cannot_be_read_stops_the_start(tmp_path, kind):
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file if kind == "link to itself" else "missing")

    with pytest.raises(SettingsError, match=rf"{file} cannot be read"):
        load({}, file)


def test_lines_that_other_programs_read_are_accepted(tmp_path):
    text = "# a comment\n\nexport GOODWORD_DOCS = 'on' # why\nLISTEN\nGOODWORD_CACHE=\nA='two\nlines'\n"

    assert load_from(tmp_path, text).docs == "on"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotation_marks_that_docker_keeps_are_refused(tmp_path, quote):
    """`docker --env-file` takes them for a part of the value."""
    with pytest.raises(SettingsError, match="GOODWORD_MAIL_FROM is in quotation marks"):
        load_from(tmp_path, MAIL_FROM=f"{quote}hello@example.com{quote}")

    named = load_from(tmp_path, MAIL_FROM='"Acme, Inc." <hello@example.com>')
    assert named.mail_from == '"Acme, Inc." <hello@example.com>'


def test_a_secret_and_its_file_are_one_too_many(tmp_path):
    with pytest.raises(SettingsError, match="both set"):
        load_from(tmp_path, SECRET_KEY=SECRET, SECRET_KEY_FILE=str(tmp_path / ".env"))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"DATABASE_URL": "mysql://root@localhost/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql+asyncpg://[db/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql+asyncpg://db:port/x", "ENVIRONMENT": "production"}, "DATABASE_URL"),
        ({"PUBLIC_URL": "https://[::1"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://goodword.example:port"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://user:word@goodword.example"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://goodword.example/a path"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "HTTPS://goodword.example"}, "PUBLIC_URL"),  # its cookies would go without TLS
        (
            {"REPLICA_URL": "postgresql+asyncpg://replica/x"},
            "REPLICA_URL must be a PostgreSQL, and needs one",
        ),
        ({"REDIS_URL": "http://localhost"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://localhost?db=1"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+sentinel://localhost:26379"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+sentinel://one:26379,/group"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+sentinel://one:port/group"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+sentinel://one/group?socket_timeout=9"}, "REDIS_URL"),
        ({"SMTP_URL": "http://localhost"}, "SMTP_URL: must be smtp://"),
        ({"SMTP_URL": "smtp://"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://localhost:port"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://localhost/path"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://user@localhost"}, "SMTP_URL: takes a user and a password"),
        ({"SMTP_URL": "smtp://localhost?tls=maybe"}, "SMTP_URL: takes no option"),
        ({"SMTP_URL": "smtps://localhost?tls=off"}, "SMTP_URL: takes no option"),
        ({"SMTP_URL": "smtp://user:word@localhost?tls=off"}, "SMTP_URL: sends no password without TLS"),
        ({"MAIL_FROM": "Acme"}, "MAIL_FROM"),
        ({"MAIL_FROM": "Acme <>"}, "MAIL_FROM"),
        ({"MAIL_FROM": "Acme <a@example.com> <b@example.com>"}, "MAIL_FROM"),
        ({"MAIL_FROM": "a@example.com\r\nBcc: eve@example.com"}, "MAIL_FROM"),
        ({"MAIL_FROM": "Acme\x07 <hello@example.com>"}, "MAIL_FROM: .*without control characters"),
        ({"MAIL_FROM": "привет@example.com"}, "MAIL_FROM: .*in ASCII"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8, everyone"}, "TRUSTED_PROXIES"),
        ({"EMAIL_CHECK": "async"}, "EMAIL_CHECK=async needs GOODWORD_HUNTER_API_KEY"),
        ({"EMAIL_CHECK": "blocking"}, "HUNTER_API_KEY"),
        ({"ENRICHMENT": "hunter"}, "ENRICHMENT=hunter needs GOODWORD_HUNTER_API_KEY"),
        ({"ENRICHMENT": "clearbit", "HUNTER_API_KEY": "x"}, "GOODWORD_CLEARBIT_API_KEY"),
        ({"HUNTER_API_KEY": "two words"}, "HUNTER_API_KEY"),
        ({"EMAIL_DISPOSABLE": "sometimes"}, "EMAIL_DISPOSABLE"),
        ({"GOOGLE_CLIENT_ID": "x"}, "GOOGLE_CLIENT_SECRET is missing"),
        ({"GITHUB_CLIENT_SECRET": "x"}, "GITHUB_CLIENT_ID is missing"),
        ({"OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}, "OIDC_ISSUER is missing"),
        ({"PUBLIC_URL": "goodword.example"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://a.example/?x=1"}, "PUBLIC_URL"),
        ({"PASSWORD_MIN_LENGTH": "4"}, "PASSWORD_MIN_LENGTH"),
        ({"ACCESS_TOKEN_LIFETIME": "1e9"}, "ACCESS_TOKEN_LIFETIME"),
        ({"ENVIRONMENT": "production", "PASSWORD_HASH": "fast_for_tests"}, "PASSWORD_HASH"),
        ({"ENVIRONMENT": "production", "RATE_LIMITS": "off"}, "RATE_LIMITS"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "a" * 40}, "SECRET_KEY"),
    ],
)
def test_a_wrong_value_is_refused_and_named(tmp_path, values, named):
    with pytest.raises(SettingsError, match=named):
        load_from(tmp_path, **values)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("hello@example.com", ""),
        ("<hello@example.com>", ""),
        ("Acme <hello@example.com>", "Acme"),
        ("Acme Inc. <hello@example.com>", "Acme Inc."),
        ("Гудворд Söhne <hello@example.com>", "Гудворд Söhne"),
        ('"Acme, \\"Inc.\\"" <hello@example.com>', 'Acme, "Inc."'),
        ("Acme, Inc. (Mail) @ home <hello@example.com>", "Acme, Inc. (Mail) @ home"),
    ],
)
def test_a_sender_may_have_a_name_of_any_form(tmp_path, given, name):
    settings = load_from(tmp_path, MAIL_FROM=given, PUBLIC_URL="https://refer.example.com")
    message = build_message(
        MessageKind.VERIFY_EMAIL,
        to="bob@example.com",
        job_id=uuid4(),
        settings=settings,
        now=datetime.now(UTC),
        contents=MessageContents(link="https://refer.example.com/x"),
    )

    found = message_from_bytes(message.as_bytes(), policy=default)["From"].addresses[0]
    assert (found.display_name, found.addr_spec) == (name, "hello@example.com")


def test_production_with_a_mail_server_needs_a_public_url(tmp_path):
    given = {"SMTP_URL": "smtp://user:word@mail.example.com", "ENVIRONMENT": "production"}

    with pytest.raises(SettingsError, match="GOODWORD_PUBLIC_URL is not set"):
        load_from(tmp_path, **given)
    assert load_from(tmp_path, **given, PUBLIC_URL="https://refer.example.com")
    assert load_from(tmp_path, **given | {"ENVIRONMENT": "development"})


WEAK = {
    "SECRET_KEY": ("changeme-changeme-changeme-changeme-0", "looks like that of an example"),
    "DATABASE_URL": ("postgresql+asyncpg://postgres:postgres@db/goodword", "password that is tried first"),
    "METRICS_TOKEN": ("short", "16 characters"),
    "PASSWORD_HASH": ("fast_for_tests", "not for production"),
    "RATE_LIMITS": ("off", "not for production"),
    "LOOPBACK_WEBHOOKS": ("on", "not for production"),
    "ALLOWED_HOSTS": ("*", "name the hosts"),
    "TRUSTED_PROXIES": ("0.0.0.0/0", "any address"),
    "PUBLIC_URL": ("http://goodword.example", "must be https://"),
    "CORS_ORIGINS": ("http://app.example", "must be https://"),
    "EMBED_ORIGINS": ("http://acme.example", "must be https://"),
    "OIDC_ISSUER": ("http://id.example", "must be https://"),
    "SMTP_URL": ("smtp://mail.example.com?tls=off", "without TLS only"),
    "REDIS_URL": ("redis://cache.example.com", "rediss://"),
    "HUNTER_URL": ("http://hunter.example", "in the clear"),
}
BESIDE = {"OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x", "HUNTER_API_KEY": "x"}


@pytest.mark.parametrize("name", WEAK)
def test_h21_production_refuses_each_weakness(tmp_path, name):
    value, reason = WEAK[name]
    beside = BESIDE if name in ("OIDC_ISSUER", "HUNTER_URL") else {}
    if name == "SMTP_URL":
        beside = {"PUBLIC_URL": "https://refer.example.com"}
    elif name == "OIDC_ISSUER":
        beside = BESIDE | {"HUNTER_API_KEY": ""}
    elif name == "HUNTER_URL":
        beside = {"HUNTER_API_KEY": "x"}
    given = beside | {name: value}
    if name == "DATABASE_URL":
        given |= {"SECRET_KEY": SECRET}

    load_from(tmp_path, **given)
    with pytest.raises(SettingsError) as refused:
        load_from(tmp_path, ENVIRONMENT="production", **given)

    text = str(refused.value)
    assert text.startswith(f"GOODWORD_{name}")
    assert reason in text
    assert text.count("GOODWORD_") == 1
    assert value not in text.removeprefix(f"GOODWORD_{name}=") or name in (
        "PASSWORD_HASH",
        "RATE_LIMITS",
        "LOOPBACK_WEBHOOKS",
        "ALLOWED_HOSTS",
    )


FAR_DATABASE = "postgresql+asyncpg://goodword:9f8b1c@db.example.com/goodword"


@pytest.mark.parametrize("ending", ["", "?ssl=prefer", "?ssl=require", "?ssl=verify-full&ssl=disable"])
def test_h21_a_database_elsewhere_has_to_show_who_it_is(tmp_path, ending):
    given = {"DATABASE_URL": FAR_DATABASE + ending, "SECRET_KEY": SECRET}

    load_from(tmp_path, **given)
    with pytest.raises(SettingsError, match=r"GOODWORD_DATABASE_URL must have \?ssl=verify-full"):
        load_from(tmp_path, ENVIRONMENT="production", **given)


def test_h21_it_lists_them_all_at_once(tmp_path):
    with pytest.raises(SettingsError) as refused:
        load_from(
            tmp_path, ENVIRONMENT="production", **BESIDE, **{name: value for name, (value, _) in WEAK.items()}
        )

    assert [name for name in WEAK if f"GOODWORD_{name}" not in str(refused.value)] == []


def test_h21_a_database_of_its_own_needs_a_secret_in_production(tmp_path):
    with pytest.raises(SettingsError, match="GOODWORD_SECRET_KEY is not set"):
        load_from(tmp_path, ENVIRONMENT="production", DATABASE_URL="postgresql+asyncpg://x@db/x")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "SMTP_URL": "smtp://mail:1025?tls=off",
            "REDIS_URL": "redis://cache",
        },
        {"PUBLIC_URL": "http://192.168.1.5", "TRUSTED_PROXIES": "172.30.83.0/24 10.0.0.0/8 104.16.0.0/13"},
        {"PUBLIC_URL": "http://goodword.lan", "CORS_ORIGINS": "https://app.example http://localhost:5173"},
        {
            "PUBLIC_URL": "https://good.example",
            "ALLOWED_HOSTS": "good.example [::1]",
            "METRICS_TOKEN": "x" * 16,
        },
        {"DATABASE_URL": "postgresql+asyncpg://goodword:9f8b1c@db/goodword", "SECRET_KEY": SECRET},
        {"DATABASE_URL": FAR_DATABASE + "?ssl=verify-full", "SECRET_KEY": SECRET},
    ],
)
def test_what_is_good_enough_is_accepted_in_production(tmp_path, values):
    assert load_from(tmp_path, ENVIRONMENT="production", **values)


@pytest.mark.parametrize(
    "host",
    [
        "*.",
        "*.*.example",
        "a.*",
        "*a.example",
        "https://a.example",
        "a.example:80",
        "A.example",
        "a.example/x",
        "u@a.example",
        "[::1",
    ],
)
def test_what_is_no_host_is_refused(tmp_path, host):
    with pytest.raises(SettingsError, match="ALLOWED_HOSTS: must be host names"):
        load_from(tmp_path, ALLOWED_HOSTS=f"good.example {host}")


def test_the_documentation_is_off_in_production_unless_asked_for(tmp_path):
    assert not load_from(tmp_path, ENVIRONMENT="production").docs_shown
    assert load_from(tmp_path, ENVIRONMENT="production", DOCS="on").docs_shown


def test_the_embedded_database_gets_a_secret_once(tmp_path):
    settings = load_from(tmp_path, DATA_DIR=str(tmp_path / "data"))

    first = with_own_secret(settings, create=True).secret

    file = tmp_path / "data" / "secret_key"
    assert len(first) >= 32
    assert with_own_secret(settings).secret == first == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"Xn2vQ9", "32 characters"),
        (b"\x00" * 64, "one line"),
        (b"\xff" * 64, "cannot read"),
        (b"first line of thirty-two characters\nsecond", "one line"),
    ],
)
def test_a_damaged_secret_of_its_own_stops_the_start(tmp_path, content, reason):
    settings = load_from(tmp_path, DATA_DIR=str(tmp_path))
    (tmp_path / "secret_key").write_bytes(content)

    with pytest.raises(SettingsError, match=f"secret_key in GOODWORD_DATA_DIR.*{reason}"):
        with_own_secret(settings)

    assert (tmp_path / "secret_key").read_bytes() == content


def test_production_refuses_a_weak_secret_in_the_data_folder(tmp_path):
    settings = load_from(tmp_path, DATA_DIR=str(tmp_path), ENVIRONMENT="production")
    (tmp_path / "secret_key").write_text("a" * 64)

    with pytest.raises(SettingsError, match=r"secret_key in GOODWORD_DATA_DIR.*too regular"):
        with_own_secret(settings)


def test_a_database_of_its_own_needs_a_secret(tmp_path):
    settings = with_own_secret(load_from(tmp_path, DATABASE_URL="postgresql+asyncpg://x@localhost/x"))

    with pytest.raises(SettingsError, match="SECRET_KEY is not set"):
        settings.secret  # noqa: B018


def test_a_setting_whose_part_is_not_built_is_accepted_and_marked(tmp_path):
    """The names of the contract; one whose part is built is no longer marked."""
    given = {
        "BRAND_NAME": "Acme",
        "BRAND_COLOR": "#aabbcc",
        "BRAND_CREDIT": "off",
        "TERMS_URL": "https://acme.example/terms",
        "OFFER": "en=Ten euros; ru=Десять евро",
        "SIGN_UP": "code",
        "FIRST_CODE": "automatic",
        "SELF_REFERRALS": "refuse",
        "EMBED_ORIGINS": "https://acme.example",
        "CAPTURE_PARAMETER": "via",
        "POOL_SIZE": "5",
        "BACKUP_DIR": "/backups",
        "BACKUP_KEEP": "7",
        "LOOPBACK_WEBHOOKS": "on",
        "OTLP_ENDPOINT": "http://127.0.0.1:4317",
        "PAGES": "off",
    }

    settings, done = load_from(tmp_path, **given), goodword(tmp_path, "config", **given)

    assert "GOODWORD_OFFER=en=Ten euros; ru=Десять евро\n" in done.stdout
    assert (settings.brand_name, settings.pool_size, settings.pages) == ("Acme", 5, "off")
    assert done.returncode == 0, done.stderr


def test_the_example_file_names_every_setting_and_no_other():
    text = (ROOT / ".env.example").read_text()
    names = {
        line.lstrip("# ").partition("=")[0]
        for line in text.splitlines()
        if line.lstrip("# ").startswith(PREFIX)
    }

    assert {name.removeprefix(PREFIX).lower() for name in names if not name.endswith("_FILE")} == set(
        Settings.model_fields
    )


def test_the_example_file_changes_nothing(tmp_path):
    assert not {name for name in dotenv_values(ROOT / ".env.example") if name.startswith(PREFIX)}
