"""What the pages of people cost beside the calls of the API that know the same, and what a browser loads for them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlencode, urlsplit

import seed
from stack import Server, sign_in
from wrk import Figures, Measure, drive

HEAVIEST = 60
"""KiB, of a page with all that it loads."""


@dataclass(frozen=True)
class Visit:
    """A page, the calls that together tell a program the same, and whoever looks."""

    name: str
    path: str
    calls: Sequence[str]
    token: str | None = None
    cookie: str | None = None


def visits(service: Server, owner: int, referrer: int) -> list[Visit]:
    """`owner` has a code, `referrer` has brought many."""
    code = f"/{seed.code(owner)}"
    token, _ = sign_in(service, owner)
    cookie = sign_in_by_form(service, owner)
    of_many, referrals = sign_in(service, referrer)
    stats = referrals.replace("referrals", "referral-stats")
    people = ["/api/v1/me", f"{referrals}?limit=25", stats]
    account = ["/api/v1/me", "/api/v1/me/sessions", "/api/v1/me/apps"]
    return [
        Visit("landing page", f"/r{code}", [f"/api/v1/referral-codes{code}"]),
        Visit("one's code", "/", ["/api/v1/me", "/api/v1/me/referral-codes"], token, cookie),
        Visit("one's people", "/people", people, of_many, sign_in_by_form(service, referrer)),
        Visit("account", "/account", account, token, cookie),
    ]


def both(service: Server, visit: Visit) -> tuple[Measure, Measure]:
    """The page, and its calls together: the CPU of one request of them is that of all."""
    calls = len(visit.calls)

    def page(seconds: float) -> Figures:
        return drive(service, [visit.path], seconds, cookie=visit.cookie)

    def api(seconds: float) -> Figures:
        found = drive(service, visit.calls, seconds, token=visit.token)
        cpu = {"service_cpu": found.service_cpu * calls, "database_cpu": found.database_cpu * calls}
        return replace(found, per_second=found.per_second / calls, **cpu)

    return page, api


def weight(service: Server, visit: Visit) -> float:
    """KiB of the page and all that it loads, as nobody has it before the first visit."""
    page, _ = _get(service, visit.path, visit.cookie)
    loaded = set(re.findall(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"', page.decode()))
    return (len(page) + sum(len(_get(service, path, visit.cookie)[0]) for path in loaded)) / 1024


def sign_in_by_form(service: Server, person: int) -> str:
    """The cookie of this person's browser."""
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
