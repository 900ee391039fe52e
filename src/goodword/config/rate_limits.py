"""The rate limits by name, with their default numbers. `docs/limits.md` has the same table; a test compares."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
MOST = 10**12
NETWORK, ACCOUNT, APP, SERVER, ADDRESS = "network", "account", "app", "server", "address"
"""What a limit counts by: network, signed-in user, authenticated client, server, or e-mail address."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A number of requests within a number of seconds from the first one, for each value of `by`."""

    name: str
    amount: int
    unit: str
    by: str
    about: str

    @property
    def seconds(self) -> int:
        return UNITS[self.unit]


DEFAULTS: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("requests", 6000, "minute", NETWORK, "all requests together, except code look-ups"),
        Policy("look-up", 600, "minute", NETWORK, "code look-ups, by a string, an address or a link"),
        Policy("look-up-missing", 200, "minute", NETWORK, "look-ups by code, and links, that find nothing"),
        Policy(
            "look-up-email-missing", 10, "minute", NETWORK, "look-ups by e-mail address that find nothing"
        ),
        Policy("sign-up", 150, "minute", NETWORK, "registration"),
        Policy("sign-in", 600, "minute", NETWORK, "sign-ins, with a password or with a provider"),
        Policy("authorize", 300, "minute", NETWORK, "the consent page for apps"),
        Policy("token", 600, "minute", NETWORK, "issue, revocation and introspection of tokens"),
        Policy("app", 3000, "minute", APP, "the same, by an app that authenticates with its secret"),
        Policy("email", 60, "minute", NETWORK, "requests for an e-mail"),
        Policy("email-to", 5, "hour", ADDRESS, "requests for an e-mail of one kind to one address"),
        Policy("email-token", 60, "minute", NETWORK, "submissions of a token from an e-mail"),
        Policy("write", 300, "minute", ACCOUNT, "requests that change data"),
        Policy("server-write", 6000, "minute", SERVER, "requests of a server that change data"),
    )
}


def parse(words: Iterable[str]) -> dict[str, Policy]:
    """Return all limits, with the numbers that the setting changes. Raises `ValueError`."""
    found, given = dict(DEFAULTS), set()
    for word in words:
        match = re.fullmatch(r"([a-z-]{1,40})=([0-9]{1,13})/(second|minute|hour|day)", word)
        if match is None:
            raise ValueError("must be words such as sign-up=150/minute, with second, minute, hour or day")
        name, amount, unit = match[1], int(match[2]), match[3]
        if name not in DEFAULTS:
            raise ValueError(f"has no limit of the name {name}: there are {', '.join(DEFAULTS)}")
        if name in given:
            raise ValueError(f"names {name} twice")
        if not 1 <= amount <= MOST:
            raise ValueError(f"must let {name} happen once or more, and {MOST} times at most")
        given.add(name)
        found[name] = replace(found[name], amount=amount, unit=unit)
    return found
