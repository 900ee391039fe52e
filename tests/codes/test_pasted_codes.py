"""Codes as people paste them: read alike in the sign-up form, the API, links and the owner's endpoints."""

from urllib.parse import quote

import pytest

from people import make_code, register
from sweeps import Sweep
from third_party import Browser, Form

pytestmark = pytest.mark.one_database

CODE = "A0B1-C2D3"
LINK = f"http://127.0.0.1:8000/r/{CODE}"
SAFE = quote(LINK, safe="")

AROUND = [
    *(
        f"{CODE}{mark}"
        for mark in [
            ".",
            ",",
            ")",
            "]",
            "}",
            ">",
            "!",
            "?",
            ":",
            ";",
            "*",
            "_",
            "`",
            "'",
            '"',
            "/",
            "…",
            "»",
            "”",
            "’",
        ]
    ),
    *(f"{CODE}{mark}" for mark in (").", "/?", "\u00a0", "\u200b", "\ufeff", "\u2060")),
    *(f"{mark}{CODE}" for mark in ("(", "<", "«", "“", "'", "*", "\u200b", "#")),
    f"({CODE})",
    f"[{CODE}]",
    f"„{CODE}“",
]
WITHIN = [
    "a0b1-c2d3",
    "AOBL-C2D3",
    "A0B1 C2D3",
    *(f"A0B1{dash}C2D3" for dash in "\u2010\u2011\u2012\u2013\u2014\u2212\u00ad\ufe58"),
    *(f"A0B1{blank}C2D3" for blank in ("\u00a0", "\u202f", "\u200b", "\u200d", "\ufeff", "\u2060", "\u2009")),
]
LINES = [f"{CODE}\n", f"\r\n{CODE}\r\n", f"\t{CODE}", "A0B1\tC2D3", "A0B1-\nC2D3", "A0B1\u2028C2D3"]
LINKS = [
    LINK,
    LINK.replace("/r/", "/R/"),
    f"{LINK}?fbclid=IwAR0&utm_source=x",
    f"{LINK}/",
    f"{LINK}.",
    f"<{LINK}>",
    f"{LINK}#top",
    LINK.removeprefix("http://"),
    f"Join with my link: {LINK} Bye",
    f"http://127.0.0.1:8000/sign-up?referral_code={CODE}&next=/",
    f"https://nam02.safelinks.protection.outlook.com/?url={SAFE}&data=05%7C01%7C&reserved=0",
    f"https://www.google.com/url?q={SAFE}&sa=D&source=editors",
    "https://urldefense.proofpoint.com/v2/url?u=http-3A__127.0.0.1-3A8000_r_A0B1-2DC2D3-3Fx-3D1&d=DwMFaQ&c=x",
    f"https://urldefense.com/v3/__{LINK}__;!!KbQ!abc$",
]
OTHERS = ["Ａ０Ｂ１-Ｃ２Ｄ３", "А0В1-С2D3", "A0B1-C2D", f"\u202e{CODE}", f"{CODE}\x00", "A0B1\x1fC2D3", "http://127.0.0.1:8000/r/"]  # fmt: skip


@pytest.fixture
async def code(alice):
    return (await make_code(alice, code=CODE))["code"]


async def test_the_registration_takes_a_pasted_code(alice, code):
    with Sweep() as sweep:
        for number, text in enumerate([*AROUND, *WITHIN, *LINES, *LINKS]):
            with sweep.case(ascii(text)):
                answer = await register(alice.api, f"friend{number}", referral_code=text)
                assert (answer.status_code, answer.json().get("referred_by")) == (201, "Alice L.")


async def test_the_registration_refuses_what_is_not_the_code(alice, code):
    with Sweep() as sweep:
        for text in OTHERS:
            with sweep.case(ascii(text)):
                answer = await register(alice.api, "bob", referral_code=text)
                assert answer.status_code == 422
                assert answer.json()["errors"][0]["field"] == "body.referral_code"


async def test_the_form_takes_a_pasted_code(api, alice, code, app):
    from asgi import client_of

    with Sweep() as sweep:
        for number, text in enumerate([AROUND[0], *WITHIN[-3:], *LINES, *LINKS]):
            async with client_of(app) as client:
                browser = Browser(client)
                with sweep.case(ascii(text)):
                    page = await browser.get("/sign-up")
                    answer = await browser.send(
                        page, email=f"f{number}@example.com", password="quiet otters swim", referral_code=text
                    )
                    assert answer.status_code == 303, answer.text
    referrals = await alice.get("/api/v1/me/referral-codes")
    assert referrals.json()["items"][0]["uses"] == number + 1


async def test_the_landing_page_takes_a_link_with_something_stuck_to_it(api, code):
    with Sweep() as sweep:
        for text in [*AROUND, *WITHIN, *LINES, *LINKS[:7]]:
            with sweep.case(ascii(text)):
                for prefix in ("/r/", "/R/"):
                    page = await api.get(prefix + quote(text, safe=""))
                    assert page.status_code == 200
                    assert Form(page.text).fields["referral_code"] == CODE
        for text in (*OTHERS, "", "/"):
            with sweep.case(ascii(text)):
                assert (await api.get(f"/r/{quote(text, safe='')}")).status_code == 404


async def test_the_look_up_takes_a_pasted_code(alice, code):
    with Sweep() as sweep:
        for text in [*AROUND, *WITHIN, *LINES, *LINKS[:7]]:
            with sweep.case(ascii(text)):
                for path in ("/api/v1/referral-codes", "/api/v1/me/referral-codes"):
                    answer = await alice.get(f"{path}/{quote(text, safe='')}")
                    assert (answer.status_code, answer.json().get("code")) == (200, CODE), path


async def test_the_owner_acts_on_a_pasted_link(alice, code):
    path = f"/api/v1/me/referral-codes/{quote(LINK, safe='')}"

    assert (await alice.get(f"{path}/qr.svg")).status_code == 200
    assert (await alice.post(f"{path}/activate", {})).json()["code"] == CODE
    assert (await alice.patch(path, {"discoverable": False})).json()["discoverable"] is False
    assert (await alice.delete(path)).status_code == 204
    assert (await alice.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/referral-codes/A0B1-C2D3/x", "/api/v1/referral-codes/"])
async def test_a_longer_path_is_not_a_code(api, code, path):
    assert (await api.get(path)).json()["code"] == "not_found"
