"""F13: what people send stands in no log, no audit, no error, and nowhere else where it is not meant to be."""

import asyncio
import random
import re
from collections import Counter

from httpx2 import Client
from redis import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from fuzz.canaries import CANARY, FIELDS, Sower, places
from fuzz.cast import PASSWORD, cast
from goodword.tables import Base
from third_party import Form

FEW, MANY = 600, 5_000
REFRESH = 40
"""Requests after which everybody is signed in again."""

PERSON = {"email", "firstname", "lastname"}
PAGE = r"(?!/api/|/oauth/(?!authorize|logout))/.*"
ECHOES = (
    # In an answer that went well: what is stored, to whom it belongs or to administrators.
    (r"(GET|POST|PATCH) /api/v1/(users|me|admin)\b.*", {200, 201}, PERSON | {"code", "reason"}),
    (r"GET /api/v1/email-checks", {200}, {"email"}),
    # A program that is no browser is known to its owner by the name that it gives itself.
    (r"GET /api/v1/me/(sessions|export)|(GET|POST) /account.*", {200, 403, 409, 422}, {"useragent"}),
    # The name of a field that is not known, so that whoever misspelt one sees which; never its value.
    (r"(POST|PUT|PATCH|DELETE) /api/v1/.*", {422}, {"fieldname"}),
    (r"[A-Z]+ /api/v1/.*", {422}, {"queryname"}),
    # The redirect to the page of a logout repeats the request of the app.
    (r"POST /oauth/logout", {303}, {"clientid", "idtokenhint", "state"}),
    # The choice of language on a page, and the way to it after a sign-in, lead back to that very address.
    (
        f"GET {PAGE}",
        {200, 303, 400, 403, 404},
        PERSON | {"query", "queryname"} | {re.sub("_", "", one) for one in FIELDS},
    ),
    (r"GET /[rR]/\{code.*\}", {404}, {"path"}),
    # A form comes back as it was filled in, without passwords; what stands around it is the account's own.
    (f"POST {PAGE}", {200, 400, 401, 403, 404, 409, 422}, PERSON | {"code", "referralcode"}),
    (r"POST /(verify-email(/again)?|confirm-email|reset-password|unsubscribe)", {400, 422}, {"token"}),
)
"""What an answer may show again of what was sent: the operation, its status, the fields."""
ADDRESS = {"email", "referreremail"}
KEPT = {
    ("users", "email"): {"email"},
    ("users", "email_key"): {"email"},
    ("users", "email_canonical"): {"email"},
    ("users", "first_name"): {"firstname"},
    ("users", "last_name"): {"lastname"},
    ("sessions", "device"): {"useragent"},
    ("verifications", "email"): {"email"},  # where a letter goes
    ("verifications", "email_key"): {"email"},
    ("jobs", "payload"): ADDRESS,  # the same, until it went
    ("referral_codes", "code"): {"code"},  # one that its owner chose
    ("referral_codes", "key"): {"code"},
    ("idempotency_keys", "key"): {"idempotencykey"},  # for a day, to know it again
    ("idempotency_keys", "body"): {"email", "firstname", "lastname"},  # for a day, to answer again
    ("referrals", "reason"): {"reason"},  # for administrators, in their words
}
"""The columns that may hold what was sent, and of it what."""


def is_meant(operation, status, name):
    return any(
        re.fullmatch(pattern, operation) and status in statuses and name in fields
        for pattern, statuses, fields in ECHOES
    )


def sow(service, requests, seed):
    callers = cast(service, seed, with_rita=True).callers
    known = cast(service, seed + 1, with_rita=False).known  # others, so that the callers are seldom erased
    found = places()
    with Client(base_url=service.served.url, follow_redirects=False) as browser:
        sower = Sower(browser, random.Random(seed), {}, known)
        for number in range(requests):
            if number % REFRESH == 0:
                for caller in callers.values():
                    caller.doubted = True
                sower.tokens = {name: caller.signed_in() for name, caller in callers.items()}
                visitor = callers[sower.random.choice(["alice", "rita"])]
                sower.form = {"form_token": signed_in(browser, visitor)}
            sower.send(found[number % len(found)] if number < 2 * len(found) else sower.random.choice(found))
    return sower


def signed_in(browser, caller):
    """The token of a page's forms, for a browser in which somebody is signed in."""
    browser.cookies.clear()
    fields = Form(browser.get("/sign-in").text).fields | {"email": caller.email, "password": PASSWORD}
    answer = browser.post("/sign-in", data=fields, headers={"Origin": str(browser.base_url).rstrip("/")})
    assert answer.status_code == 303, answer.text
    return Form(browser.get("/account").text).fields["form_token"]


async def rows_with_canaries(url):
    found = Counter()
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for row in (await connection.execute(select(table))).mappings():
                for column, value in row.items():
                    for name in CANARY.findall(str(value)):
                        found[table.name, column, name.lower()] += 1
    await engine.dispose()
    return found


def in_redis(url):
    with Redis.from_url(url) as client:
        for key in client.scan_iter():
            yield key.decode("latin-1")
            kind = client.type(key)
            values = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}
            yield str(values[kind](key)) if kind in values else ""


def test_f13_no_canary_is_found_where_it_is_not_meant_to_be(embedded, is_long, seed):
    sower = sow(embedded, MANY if is_long else FEW, seed)

    log = embedded.served.log.read_text()
    rows = asyncio.run(rows_with_canaries(embedded.database))
    print(f"seed {seed}: {sower.told()}")
    print(f"kept: {dict(rows)}")
    assert sower.sent == (MANY if is_long else FEW)
    assert sower.authenticated > sower.sent / 4
    assert [line for line in log.splitlines() if CANARY.search(line)] == []
    assert "request failed" not in log
    assert [one for one in in_redis(embedded.settings["REDIS_URL"]) if CANARY.search(one)] == []
    assert {column for column in rows if column[:2] not in KEPT} == set()
    assert not {name for _, _, name in rows} & {
        "password",
        "newpassword",
        "currentpassword",
        "bearer",
        "authorization",
    }
    assert {one for one in sower.shown if not is_meant(*one)} == set()
    assert rows, "something is kept, so the canaries can be seen"
