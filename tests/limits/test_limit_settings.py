"""The numbers: in the documents as in the code, others by setting, and a limit for every operation."""

import re

import pytest
from fastapi.routing import APIRoute

from asgi import operations, settings_for
from goodword.app import create_app
from goodword.codes.api import LookupRoute
from goodword.config.loading import load
from goodword.config.rate_limits import DEFAULTS, parse
from goodword.config.settings import SettingsError
from serving import ROOT
from sweeps import Sweep

pytestmark = pytest.mark.one_database

ROW = re.compile(r"\| `([a-z-]+)` \| (\d+)/(\w+) \| (\w+) \| (.+) \|")
ONLY_COUNTED_WITH_ALL = {
    "get_oauth_metadata",
    "get_openid_configuration",
    "get_jwks",
    "check_liveness",
    "check_readiness",
}
FORMS_OF_SOMEBODY_SIGNED_IN = {  # `page_access` counts them
    "create_code", "activate_code", "update_code", "delete_code", "change_name", "change_language", "invite", "request_email_change", "download_data",
    "change_password",
    "delete_account", "end_session", "end_all_sessions", "revoke_app_access",
}  # fmt: skip
FORMS_OF_ADMINISTRATORS = {
    "disable",
    "enable",
    "erase",
    "reject",
    "accept_in_review",
    "reject_in_review",
    "revoke",
    "retry",
    "revoke_session",
    "disable_app",
    "create_api_key",
    "revoke_api_key",
    "create_program",
    "change_program",
    "step_reward",
    "create_rule",
    "change_rule",
    "end_rule",
    "upload_coupons",
    "create_webhook",
    "change_webhook",
    "enable_webhook",
    "disable_webhook",
    "rotate_webhook",
    "send_test_event",
    "delete_webhook",
    "replay_webhook",
    "replay_webhook_range",
}  # `AdminPage` counts them
FORMS_THAT_COST_NOTHING = {"choose_language", "sign_out"}


def test_the_table_of_the_documents_is_that_of_the_code():
    rows = ROW.findall((ROOT / "docs" / "limits.md").read_text())

    assert rows == [(p.name, str(p.amount), p.unit, p.by, p.about) for p in DEFAULTS.values()]


def test_numbers_can_be_set():
    settings = load({"GOODWORD_LIMITS": "sign-up=7/hour, look-up=50/second"}, env_file=None)

    found = parse(settings.limits)

    assert (found["sign-up"].amount, found["sign-up"].seconds) == (7, 3600)
    assert (found["look-up"].amount, found["look-up"].seconds) == (50, 1)
    assert found["sign-in"] == DEFAULTS["sign-in"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sign-ups=1/minute", "no limit of the name sign-ups"),
        ("sign-up=1/minute sign-up=2/minute", "names sign-up twice"),
        ("sign-up=0/minute", "once or more"),
        ("sign-up=9999999999999/minute", "at most"),
        ("sign-up=1/fortnight", "sign-up=150/minute"),
        ("sign-up", "sign-up=150/minute"),
        ("sign-up=-1/minute", "sign-up=150/minute"),
        ("sign-up=1.5/minute", "sign-up=150/minute"),
        ("sign-up=1/minute;look-up=1/minute", "sign-up=150/minute"),
        ("sign-up=١/minute", "sign-up=150/minute"),
    ],
)
def test_wrong_ones_stop_the_start(text, said):
    with pytest.raises(SettingsError, match=said) as refused:
        load({"GOODWORD_LIMITS": text}, env_file=None)

    assert str(refused.value).startswith("GOODWORD_LIMITS: ")


def routes():
    app = create_app(settings_for("sqlite+aiosqlite:///none"))
    found = {}
    for context in app.router.routes:
        for route in getattr(getattr(context, "original_router", None), "routes", [context]):
            if isinstance(route, APIRoute):
                found.setdefault((route.name, route.include_in_schema), []).append(route)
    return found


def limits_of(route):
    calls = (dependency.call for dependency in route.dependant.dependencies)
    return {call.limit for call in calls if isinstance(getattr(call, "limit", None), str)}


def test_every_operation_has_a_limit_of_its_own():
    known = {name: found for (name, shown), found in routes().items() if shown}
    without = set()
    for method, _, operation in operations():
        [route] = known[operation["operationId"]]
        needs_token = bool(operation.get("security"))  # what it writes counts for the account
        if not limits_of(route) and not needs_token and not isinstance(route, LookupRoute):
            without.add(operation["operationId"])
        assert method == "GET" or limits_of(route) or needs_token
        assert limits_of(route) <= set(DEFAULTS)

    assert without == ONLY_COUNTED_WITH_ALL


def test_every_form_has_a_limit_of_its_own():
    without = {
        name
        for (name, shown), found in routes().items()
        for route in found
        if not shown and "POST" in route.methods and not limits_of(route)
    }

    assert without == FORMS_OF_SOMEBODY_SIGNED_IN | FORMS_OF_ADMINISTRATORS | FORMS_THAT_COST_NOTHING


def test_every_operation_says_how_it_refuses():
    with Sweep() as sweep:
        for operation in [found for _, _, found in operations()]:
            with sweep.case(f"{operation}"):
                answer = operation["responses"]["429"]

                assert set(answer["headers"]) == {"Retry-After", "RateLimit-Policy", "RateLimit"}
