"""Schemathesis, set up: what it draws from, who sends it, what is checked, and where a check is narrowed, and why."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.openapi.checks import IgnoredAuth, UnsupportedMethodResponse

from fuzz.cast import DOUBTED, PASSWORD, Caller, Cast, Service

SHARED_PATHS = frozenset({"/api/v1/participants/batch", "/api/v1/referral-codes/validate"})
ADMIN = "/api/v1/admin/"
BEFORE_THE_OPERATION = ("408", "414", "431")
"""What may refuse a drawn request before its operation is reached, of all that OpenAPI has under `default`."""
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "422"]


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["allow_redirects"] = False  # they lead to other sites


@dataclass
class Found:
    """What a run has to tell."""

    calls: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    protected: Counter[bool] = field(default_factory=Counter)
    """Calls of operations that need a token, by whether the answer was 401."""
    wrong: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By check, operation and title: the first message, and how to send it again."""
    operations: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        share = 100 * self.protected[True] / (self.protected.total() or 1)
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.calls} calls of {len(self.operations)} operations; "
            f"401 to {share:.0f} % of those that need a token ({statuses})"
        )

    def told(self) -> str:
        return "\n\n".join(f"{' | '.join(key)}\n{said}" for key, said in sorted(self.wrong.items()))

    def add(self, other: "Found") -> None:
        self.calls += other.calls
        self.statuses += other.statuses
        self.protected += other.protected
        self.wrong |= other.wrong
        self.operations |= other.operations


def run(
    service: Service,
    cast: Cast,
    who: str,
    *,
    seed: int,
    examples: int,
    folder: Path,
    paths: str,
    without: str | None = None,
) -> Found:
    """Send what is drawn as `alice`, `bob`, `rita`, `nobody`, or as `peers`: Alice and Bob with their own objects."""
    config = _config(service, who, seed=seed, examples=examples, known=cast.known)
    if who == "peers":
        config["auth"] = {"wfc": {"path": _peers(cast, folder), "peers": ["alice", "bob"]}}
    document = schemathesis.openapi.from_dict(_document(service), config=SchemathesisConfig.from_dict(config))
    schema = document.include(path_regex=paths)
    if without:
        schema.config.phases.get_by_name(name=without).enabled = False
    caller = cast.callers.get(who)
    if caller:
        _sign(schema, caller)
    found = Found()
    _watch(schema, found, caller)
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found.wrong["error", event.label, type(event.info).__name__] = str(event.info)
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            _collect(event, found)
    return found


def _config(
    service: Service, who: str, *, seed: int, examples: int, known: dict[str, list[str]]
) -> dict[str, Any]:
    names = {place: place.replace(".", "-") for place in known}
    return {
        "seed": seed,
        "base-url": service.served.url,
        "continue-on-failure": True,
        "cache": {"enabled": False},
        # Whoever is signed in stays so: drawn tokens are for those who are not.
        "generation": {
            "max-examples": examples,
            "database": "none",
            "with-security-parameters": who == "nobody",
        },
        "dictionaries": {names[place]: {"values": values} for place, values in known.items()},
        "parameters": {place: {"dictionary": name, "probability": 0.5} for place, name in names.items()},
        "checks": {
            # A code that is not usable, a weak password and an address that is taken fit the schema and are refused.
            "positive_data_acceptance": {"enabled": False},
            # 413 and 414 refuse what is too long, before anybody asks whether it fits.
            "negative_data_rejection": {"expected-statuses": REFUSALS},
        },
    }


def _document(service: Service) -> Any:
    # With `default`, every status would count as documented.
    document = service.client.get("/openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            refused = operation["responses"].pop("default")
            for status in BEFORE_THE_OPERATION:
                operation["responses"].setdefault(status, refused)
    return document


def _peers(cast: Cast, folder: Path) -> str:
    login = {
        "endpoint": "/api/v1/sessions",
        "verb": "POST",
        "contentType": "application/json",
        "token": {
            "extractFrom": "body",
            "extractSelector": "/access_token",
            "sendIn": "header",
            "sendName": "Authorization",
            "sendTemplate": "Bearer {token}",
        },
    }
    both = [
        {
            "name": name,
            "loginEndpointAuth": login
            | {"payloadRaw": json.dumps({"email": cast.callers[name].email, "password": PASSWORD})},
        }
        for name in ("alice", "bob")
    ]
    path = folder / "peers.json"
    path.write_text(json.dumps({"auth": both}))
    return str(path)


def _sign(schema: Any, caller: Caller) -> None:
    class Signed:
        def get(self, _case, _context):
            return caller.signed_in()

        def set(self, case, token, _context):
            case.headers["Authorization"] = f"Bearer {token}"

    schema.auth(refresh_interval=None)(Signed)


def _watch(schema: Any, found: Found, caller: Caller | None) -> None:
    @schema.hook
    def after_call(_context, case, response):
        found.calls += 1
        found.statuses[response.status_code] += 1
        found.operations.add(case.operation.label)
        if case.operation.definition.raw["security"]:
            found.protected[response.status_code == 401] += 1
        if caller and response.status_code in DOUBTED:
            caller.doubted = True

    @schema.hook
    def filter_failure(_context, failure, case, _response):
        return not any(is_meant(failure, case) for is_meant in (_is_hidden, _is_shared, _is_item_of_batch))


def _is_hidden(failure: Any, case: Any) -> bool:
    # Nothing shows that something is there: 404 without a right token (`ignored_auth` looks for 401 and 403), and
    # for each method that is not served (`unsupported_method` looks for 405). tests/admin/test_hidden.py
    hidden = isinstance(failure, IgnoredAuth | UnsupportedMethodResponse)
    return hidden and case.path.startswith(ADMIN) and "404" in failure.message


def _is_shared(failure: Any, case: Any) -> bool:
    # `batch` is an external id too, and `validate` a code: `Allow` names the methods of both paths.
    return failure.title == "Allow header mismatch" and case.path in SHARED_PATHS


def _is_item_of_batch(failure: Any, case: Any) -> bool:
    # An invalid item is refused in an answer with 200, so that it harms no other.
    return failure.title == "Schema-violating request accepted" and case.path == "/api/v1/participants/batch"


def _collect(event: Any, found: Found) -> None:
    for case_id, checks in event.recorder.checks.items():
        operation = event.recorder.cases[case_id].value.operation.label
        for check in checks:
            if check.status is Status.FAILURE:
                info = check.failure_info
                key = check.name, operation, info.failure.title
                found.wrong.setdefault(key, f"{info.failure.message}\n{info.code_sample}")
