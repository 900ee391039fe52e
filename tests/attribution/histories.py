"""Histories of people who join: what they did, when, and who referred them by the rules.

Times are seconds before the sign-up, which is the moment of the claim unless a history says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HOUR, DAY = 3600, 86_400
WINDOW, GRACE = 30 * DAY, DAY
"""Those of the default program."""
MOMENT = 0.000001
"""The smallest difference of two times in the database."""


@dataclass(frozen=True, kw_only=True)
class History:
    expected: str | None
    """The owner of the code that counts, a reason, or None if there is nothing to attribute."""
    by: str = "touch"
    touches: Sequence[tuple[str, float]] = ()
    """Owners of codes, and when their links were clicked."""
    code: str | None = None
    """The owner of the code that is entered, or a text."""
    codes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What differs from a code of the owner that can be used: `ends`, `retired`, `why`, and columns."""
    program: Mapping[str, Any] = field(default_factory=dict)
    owners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    existing: Mapping[str, Any] | None = None
    """A person who exists: `signed_up`, and perhaps `referred_by` and `is`, one of the owners."""
    reported: float | None = None
    """When a person signed up whom the first report is about now."""
    email: str | None = None
    self_referrals: str = "flag"
    """The setting."""
    only_in: str | None = None
    """The owner of the code in the only program whose codes count."""


FIRST, LAST = {"attribution": "first_touch"}, {"attribution": "last_touch"}
TWO_TOUCHES = (("alice", 10 * DAY), ("bob", 2 * DAY))
NEW = {"signed_up": 0}

HISTORIES: dict[str, History] = {
    # A code, touches, and what wins.
    "nothing is brought": History(expected=None),
    "a code": History(code="alice", expected="alice", by="code"),
    "an empty field for a code": History(code=" ", expected=None),
    "an empty field for a code, and a click": History(code="", touches=[("alice", HOUR)], expected="alice"),
    "one click": History(touches=[("alice", HOUR)], expected="alice"),
    "E44: the first of two clicks": History(touches=TWO_TOUCHES, program=FIRST, expected="alice"),
    "E44: the last of two clicks": History(touches=TWO_TOUCHES, program=LAST, expected="bob"),
    "E44: a typed code beats the clicks, first touch": History(
        code="carol", touches=TWO_TOUCHES, program=FIRST, expected="carol", by="code"
    ),
    "E44: a typed code beats the clicks, last touch": History(
        code="carol", touches=TWO_TOUCHES, program=LAST, expected="carol", by="code"
    ),
    "E44: the touches are given in another order": History(
        touches=tuple(reversed(TWO_TOUCHES)), program=LAST, expected="bob"
    ),
    "a typed code that is unusable is not replaced by a click": History(
        code="carol", codes={"carol": {"ends": HOUR}}, touches=TWO_TOUCHES, expected="code_expired"
    ),
    "a code and the click on its link": History(
        code="alice", touches=[("alice", HOUR)], expected="alice", by="code"
    ),
    # The window.
    "E45: at exactly the window": History(touches=[("alice", WINDOW)], expected="alice"),
    "E45: just past the window": History(touches=[("alice", WINDOW + MOMENT)], expected=None),
    "E45: just within the window": History(touches=[("alice", WINDOW - MOMENT)], expected="alice"),
    "E45: the first of two is too old": History(
        touches=[("alice", WINDOW + 1), ("bob", DAY)], program=FIRST, expected="bob"
    ),
    "E45: a window of one hour": History(
        touches=[("alice", HOUR + 1)], program={"attribution_window": HOUR}, expected=None
    ),
    "E45: a window of nothing counts at the same moment": History(
        touches=[("alice", 0)], program={"attribution_window": 0}, expected="alice"
    ),
    # A code's end and the grace.
    "a code at its end": History(code="alice", codes={"alice": {"ends": 0}}, expected="code_expired"),
    "a code just before its end": History(
        code="alice", codes={"alice": {"ends": -MOMENT}}, expected="alice", by="code"
    ),
    "E43: a click before the end, a sign-up within the grace": History(
        touches=[("alice", 2 * HOUR)], codes={"alice": {"ends": HOUR}}, expected="alice"
    ),
    "E43: a click before the end, a sign-up at exactly the grace": History(
        touches=[("alice", 2 * DAY)], codes={"alice": {"ends": GRACE}}, expected="alice"
    ),
    "E43: a click before the end, a sign-up after the grace": History(
        touches=[("alice", 2 * DAY)], codes={"alice": {"ends": GRACE + MOMENT}}, expected="code_expired"
    ),
    "E43: no grace": History(
        touches=[("alice", 2)],
        codes={"alice": {"ends": 1}},
        program={"late_entry_grace": 0},
        expected="code_expired",
    ),
    "E43: a code that came with the click": History(
        code="alice", touches=[("alice", 2 * HOUR)], codes={"alice": {"ends": HOUR}}, expected="alice"
    ),
    "E43: a code that was clicked after the grace": History(
        code="alice",
        touches=[("alice", 3 * DAY)],
        codes={"alice": {"ends": 2 * DAY}},
        expected="code_expired",
    ),
    "E43: a code that came without a click": History(
        code="alice", codes={"alice": {"ends": HOUR}}, expected="code_expired"
    ),
    "E43: the owner made another code after the end": History(
        touches=[("alice", 2 * HOUR)],
        codes={"alice": {"ends": HOUR, "retired": 1, "why": "expired"}},
        expected="alice",
    ),
    "a click after the end": History(
        touches=[("alice", HOUR)], codes={"alice": {"ends": 2 * HOUR}}, expected="code_expired"
    ),
    "a click that does not count leaves the other one": History(
        touches=[("alice", 2 * HOUR), ("bob", HOUR)],
        codes={"bob": {"retired": 60, "why": "deleted"}},
        expected="alice",
    ),
    # What ends a code for good.
    "deleted after the click": History(
        touches=[("alice", HOUR)], codes={"alice": {"retired": 60, "why": "deleted"}}, expected="code_retired"
    ),
    "replaced after the click": History(
        touches=[("alice", HOUR)],
        codes={"alice": {"retired": 60, "why": "replaced"}},
        expected="code_retired",
    ),
    "revoked after the click": History(
        touches=[("alice", HOUR)], codes={"alice": {"retired": 60, "why": "revoked"}}, expected="code_retired"
    ),
    "used up after the click": History(
        touches=[("alice", HOUR)], codes={"alice": {"max_uses": 2, "uses": 2}}, expected="code_used_up"
    ),
    "used up, and replaced by another": History(
        code="alice",
        codes={"alice": {"max_uses": 1, "uses": 1, "retired": 60, "why": "used_up"}},
        expected="code_used_up",
    ),
    "the last use": History(
        touches=[("alice", HOUR)], codes={"alice": {"max_uses": 2, "uses": 1}}, expected="alice"
    ),
    "expired, then deleted": History(
        touches=[("alice", 2 * HOUR)],
        codes={"alice": {"ends": HOUR, "retired": 60, "why": "expired", "deleted": 1}},
        expected="code_retired",
    ),
    "retired, and past its end: the first reason": History(
        code="alice", codes={"alice": {"ends": 1, "retired": 60, "why": "deleted"}}, expected="code_expired"
    ),
    "prepared, not active": History(
        code="alice", codes={"alice": {"activated_at": None}}, expected="code_unknown"
    ),
    "no such code": History(code="ZZZZ-9999", expected="code_unknown"),
    "no code at all": History(code="???", expected="code_unknown"),
    # The program and the referrer.
    "a draft": History(code="alice", program={"status": "draft"}, expected="program_not_active"),
    "paused between click and sign-up": History(
        touches=[("alice", HOUR)], program={"status": "paused"}, expected="program_not_active"
    ),
    "ended": History(code="alice", program={"status": "ended"}, expected="program_not_active"),
    "at exactly the end of the program": History(
        code="alice", program={"ends_at": 0}, expected="program_not_active"
    ),
    "just before the end of the program": History(
        code="alice", program={"ends_at": -MOMENT}, expected="alice", by="code"
    ),
    "at exactly the start of the program": History(
        code="alice", program={"starts_at": 0}, expected="alice", by="code"
    ),
    "just before the start of the program": History(
        code="alice", program={"starts_at": -MOMENT}, expected="program_not_active"
    ),
    "the referrer is disabled": History(
        code="alice", owners={"alice": {"status": "disabled"}}, expected="referrer_not_active"
    ),
    "a code of another program": History(code="dave", only_in="alice", expected="code_unknown"),
    "a click in another program": History(touches=[("dave", HOUR)], only_in="alice", expected=None),
    "a code of another program, for all programs": History(code="dave", expected="dave", by="code"),
    "clicks in two programs": History(
        touches=[("dave", 2 * HOUR), ("alice", HOUR)], program=FIRST, expected="alice"
    ),
    # People who exist.
    "E39: one's own code": History(
        code="alice", existing={"signed_up": HOUR, "is": "alice"}, expected="self_referral"
    ),
    "E39: the code of the same verified address": History(
        code="alice",
        owners={"alice": {"email": "a@example.com", "email_key": "a@example.com", "verified": True}},
        email="a@example.com",
        expected="self_referral",
    ),
    "E39: the code of an address that is not verified": History(
        code="alice",
        owners={"alice": {"email": "a@example.com", "email_key": "a@example.com"}},
        email="a@example.com",
        expected="alice",
        by="code",
    ),
    "E39: a folded address is no refusal": History(
        code="alice",
        owners={"alice": {"email": "a@example.com", "email_key": "a@example.com", "verified": True}},
        email="a+1@example.com",
        expected="alice",
        by="code",
    ),
    "one mailbox, where that is refused": History(
        code="alice",
        owners={
            "alice": {
                "email": "a@example.com",
                "email_key": "a@example.com",
                "email_canonical": "a@example.com",
            }
        },
        email="a+1@example.com",
        self_referrals="refuse",
        expected="self_referral",
    ),
    "one mailbox, as the product reported it": History(
        code="alice",
        owners={"alice": {"reported_email": "a@example.com", "reported_email_key": "a@example.com"}},
        existing={
            "signed_up": HOUR,
            "reported_email": "a+1@example.com",
            "reported_email_key": "a+1@example.com",
        },
        self_referrals="refuse",
        expected="self_referral",
    ),
    "E40: within the grace": History(code="alice", existing={"signed_up": HOUR}, expected="alice", by="code"),
    "E40: at exactly the grace": History(
        code="alice", existing={"signed_up": GRACE}, expected="alice", by="code"
    ),
    "E40: after the grace": History(
        code="alice", existing={"signed_up": GRACE + MOMENT}, expected="already_registered"
    ),
    "E40: a click after the grace": History(
        touches=[("alice", 2 * GRACE)], existing={"signed_up": GRACE + 1}, expected="already_registered"
    ),
    "E40: a click within the grace": History(
        touches=[("alice", HOUR)], existing={"signed_up": HOUR}, expected="alice"
    ),
    "already referred": History(
        code="alice", existing={"signed_up": HOUR, "referred_by": "bob"}, expected="already_referred"
    ),
    "already referred, and late: the first reason": History(
        code="alice", existing={"signed_up": GRACE + 1, "referred_by": "bob"}, expected="already_referred"
    ),
    "already referred in another program": History(
        code="alice", existing={"signed_up": HOUR, "referred_by": "dave"}, expected="alice", by="code"
    ),
    "referred before by this code": History(
        code="alice", existing={"signed_up": 9 * DAY, "referred_by": "alice"}, expected=None
    ),
    "referred before by this code, which has expired": History(
        code="alice",
        codes={"alice": {"ends": HOUR}},
        existing={"signed_up": 9 * DAY, "referred_by": "alice"},
        expected=None,
    ),
    # First reports that come later than the sign-up.
    "reported at once": History(code="alice", reported=0, expected="alice", by="code"),
    "reported a year later": History(code="alice", reported=365 * DAY, expected="alice", by="code"),
    "the window is that at the sign-up": History(
        touches=[("alice", WINDOW + HOUR)], reported=HOUR, expected="alice"
    ),
    "the end of the code is compared with the sign-up": History(
        touches=[("alice", 3 * DAY)], codes={"alice": {"ends": GRACE + HOUR}}, reported=HOUR, expected="alice"
    ),
}
