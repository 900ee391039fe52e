"""The pages of the website: their CPU beside the API calls that return the same, and their weight in a browser."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlencode, urlsplit

import seed
from client import sign_in
from row import Figure, Goal, Result, Row
from seed import HOT, THOUSAND
from stack import Server, Stack
from wrk import drive

HEAVIEST = 60
"""KiB, of a page with all that it loads."""
CPU = Figure("CPU of limit", lambda found: found.cpu, Goal(2, 1.5, more=False), of_limit=True)


@dataclass(frozen=True)
class Visit:
    """A page, the calls that return the same to a program, and its visitor."""

    name: str
    path: str
    calls: Sequence[str]
    token: str | None = None
    cookie: str | None = None


@contextmanager
def pages(stack: Stack) -> Iterator[list[Row]]:
    with stack.service() as service:
        yield [_row(service, visit) for visit in _visits(service, HOT[0], THOUSAND)]


def _visits(service: Server, owner: int, referrer: int) -> list[Visit]:
    """Return the pages to visit. `owner` has a code, `referrer` has many referrals."""
    code = f"/{seed.code(owner)}"
    token, _ = sign_in(service, owner)
    cookie = sign_in_by_form(service, owner)
    of_many, referrals = sign_in(service, referrer)
    stats = referrals.replace("referrals", "referral-stats")
    people = ["/api/v1/me", f"{referrals}?limit=25", stats]
    account = ["/api/v1/me", "/api/v1/me/sessions", "/api/v1/me/apps"]
    return [
        Visit("landing page", f"/r{code}", [f"/api/v1/referral-codes{code}"]),
        Visit("own code", "/", ["/api/v1/me", "/api/v1/me/referral-codes"], token, cookie),
        Visit("own referrals", "/people", people, of_many, sign_in_by_form(service, referrer)),
        Visit("account", "/account", account, token, cookie),
    ]


def _row(service: Server, visit: Visit) -> Row:
    """Return the row of a page, beside the API calls that it replaces, taken together."""
    calls, weight = len(visit.calls), _weight(service, visit)

    def page(seconds: float) -> Result:
        return drive(service, [visit.path], seconds, cookie=visit.cookie)

    def api(seconds: float) -> Result:
        found = drive(service, visit.calls, seconds, token=visit.token)
        return replace(
            found,
            per_second=found.per_second / calls,
            service_cpu=found.service_cpu * calls,
            database_cpu=found.database_cpu * calls,
        )

    heaviest = Goal(HEAVIEST, HEAVIEST / 2, " KiB", more=False)
    figures = [CPU, Figure("weight with all it loads", lambda _: weight, heaviest)]
    return Row(f"page: {visit.name}", page, figures, api, f"its calls of the API ({calls})")


def _weight(service: Server, visit: Visit) -> float:
    """Return the KiB of the page and all that it loads at the first visit."""
    page, _ = _get(service, visit.path, visit.cookie)
    loaded = set(re.findall(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"', page.decode()))
    return (len(page) + sum(len(_get(service, path, visit.cookie)[0]) for path in loaded)) / 1024


def sign_in_by_form(service: Server, person: int) -> str:
    """Return the cookie of the browser of this user."""
    fields = {"email": seed.email(person), "password": seed.PASSWORD, "next": "/"}
    _, headers = _send(service, "POST", "/sign-in", urlencode(fields))
    return headers["set-cookie"].partition(";")[0]


def _get(service: Server, path: str, cookie: str | None) -> tuple[bytes, HTTPMessage]:
    return _send(service, "GET", path, cookie=cookie)


def _send(
    service: Server, method: str, path: str, body: str | None = None, cookie: str | None = None
) -> tuple[bytes, HTTPMessage]:
    connection = HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    headers = {"Cookie": cookie} if cookie else {}
    if body is not None:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status in (200, 303), (path, response.status, answer)
    return answer, response.headers
