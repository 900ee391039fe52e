"""What the invented users, the administrator and the worker have done."""

from datetime import datetime

from goodword.audit.actions import Action, Subject
from goodword.cli.demo import people
from goodword.cli.demo.product import add_product
from goodword.cli.demo.rows import DAY, MINUTE, NETWORKS, Row, Rows
from goodword.invitations.emails import SEND_EMAIL
from goodword.invitations.service import INVITATION
from goodword.jobs.models import Job
from goodword.jobs.service import enqueue
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.mail.models import Unsubscribe
from goodword.oauth import registration
from goodword.oauth.models import OAuthClient, OAuthGrant
from goodword.referrals.models import Referral, ReferralStatus
from goodword.sessions import cookies
from goodword.sessions.models import UserSession
from goodword.sessions.tokens import ABSOLUTE, IDLE
from goodword.users.models import Purpose, UserStatus

DEVICES = (
    "Chrome on Android",
    "Safari on iPhone",
    "Chrome on Windows",
    "Firefox on Linux",
    "Safari on Mac",
    "Edge on Windows",
)
DEAD_JOBS = {
    Purpose.VERIFY_EMAIL: ("{}", "the mail server rejected it permanently (550)"),
    Purpose.RESET_PASSWORD: ("{}", "the mail server did not accept it: SMTPDataError 451"),
    notifications.KIND: (f'{{"message":"{MessageKind.PASSWORD_CHANGED}"}}', "TimeoutError in delivery.py:61"),
}
"""By kind: the payload, and the error."""


async def invent(rows: Rows, password_hash: str) -> None:
    """Add an administrator, apps, users with codes, referrals and sessions, and a program with customers.

    Only the administrator, Alice and Bob have a password.
    """
    start = rows.now - people.DAYS * DAY
    admin = people.add_user(rows, start, people.ADMIN, password_hash=password_hash)
    admin["is_admin"] = True
    rows.record(start, None, Action.USER_PROMOTED, Subject.USER, admin["id"])
    sign_in(rows, admin, rows.now - DAY)
    apps = [await _register_app(rows, name) for name in ("Example Notes", "Example Shop")]
    popularity: dict[object, float] = {}
    for number, joined in enumerate(people.sign_up_times(rows)):
        user = people.add_person(rows, number, joined, password_hash)
        people.refer(rows, user, popularity)
        people.add_codes(rows, user, popularity)
        sign_in(rows, user, joined)
        for _ in range(rows.random.randrange(4)):
            sign_in(rows, user, rows.since(joined))
        if rows.chance(0.12):
            sign_in(rows, user, rows.since(joined), rows.random.choice(apps))
    _administrate(rows, admin)
    _add_jobs(rows)
    add_product(rows)


async def _register_app(rows: Rows, name: str) -> OAuthClient:
    app, _ = await registration.register(
        rows.session,
        rows.services.keys.oauth,
        name=name,
        redirect_uris=["https://app.example.com/signed-in"],
        scope=["openid", "profile", "codes:read"],
        grant_types=["authorization_code"],
        public=False,
        now=rows.now,
    )
    return app


def sign_in(rows: Rows, user: Row, at: datetime, app: OAuthClient | None = None) -> None:
    """Add a session of a browser or of an app, and the consent to the app."""
    owner, scope = user["id"], app.scope if app else cookies.SCOPE
    client, used_at = app.client_id if app else cookies.CLIENT, rows.after(at, 20 * DAY)
    if app:
        rows.add(OAuthGrant, at, user_id=owner, client_id=app.id, scope=scope)
        rows.record(at, user, Action.GRANT_GIVEN, Subject.CLIENT, app.id, owner, client=client, scope=scope)
    session = rows.add(
        UserSession,
        at,
        user_id=owner,
        rotated_at=used_at,
        idle_expires_at=min(used_at + IDLE, at + ABSOLUTE),
        expires_at=at + ABSOLUTE,
        scope=scope,
        client=client,
        device=rows.random.choice(DEVICES),
        place=f"{rows.random.choice(NETWORKS)}.0/24",
    )
    about = (Subject.SESSION, session["id"], owner)
    rows.record(at, user, Action.SESSION_STARTED, *about, client=client)
    if rows.chance(0.3):
        session["revoked_at"], session["revoked_reason"] = used_at, "signed_out"
        rows.record(used_at, user, Action.SESSION_ENDED, *about, why="signed_out")


def _administrate(rows: Rows, admin: Row) -> None:
    """Let the administrator have looked at users, disabled some of them, and rejected referrals."""
    for number in range(20):
        at = rows.after(rows.now - (40 - 2 * number) * DAY, DAY)
        rows.record(at, admin, Action.USERS_SEARCHED, Subject.NONE, found=rows.random.randrange(1, 12))
        viewed = rows.random.choice(rows.people)
        rows.record(at + MINUTE, admin, Action.USER_VIEWED, Subject.USER, viewed["id"])
    for user in rows.random.sample(rows.people[20:-60], 4):
        at, user["status"] = rows.since(user["created_at"]), UserStatus.DISABLED
        rows.record(at, admin, Action.USER_DISABLED, Subject.USER, user["id"])
        for session in rows.by_model[UserSession]:
            if session["user_id"] == user["id"] and session["revoked_at"] is None:
                session["revoked_at"], session["revoked_reason"] = at, "disabled"
    for referral in rows.by_model[Referral]:
        if referral["status"] == ReferralStatus.REJECTED:
            at, about = rows.after(referral["created_at"], DAY), (Subject.REFERRAL, referral["id"])
            rows.record(at, admin, Action.REFERRAL_REJECTED, *about, referral["referrer_id"])


def _add_jobs(rows: Rows) -> None:
    """Add the jobs of the last week, three that failed, and, if e-mails become files, some that send e-mails."""
    week, referrals = rows.now - 7 * DAY, rows.by_model[Referral]
    sent = [(Purpose.VERIFY_EMAIL.value, user["id"], user["created_at"]) for user in rows.people]
    sent += [
        (SEND_EMAIL, one["referrer_id"], one["confirmed_at"]) for one in referrals if one["confirmed_at"]
    ]
    for kind, user_id, at in sent:
        if at > week:
            done = {"finished_at": rows.after(at, 2 * MINUTE), "outcome": "done", "attempts": 1}
            rows.add(Job, at, kind=kind, payload="{}", user_id=user_id, run_at=at, **done)
    for number, (kind, (payload, error)) in enumerate(DEAD_JOBS.items()):
        at, user_id = rows.now - (number + 1) * DAY, rows.people[20 + number]["id"]
        dead = {"finished_at": at + DAY / 6, "outcome": "dead", "error": error, "attempts": 10}
        rows.add(Job, at, kind=kind, payload=payload, user_id=user_id, run_at=at, **dead)
    for _ in range(5):
        rows.add(Unsubscribe, rows.since(rows.now - 60 * DAY), address_mac=rows.random.randbytes(32))
    if rows.services.settings.smtp_url is None:
        alice, bob = (user["id"] for user in rows.people[:2])
        friend = "friend@example.com"
        for kind, user_id, data in (
            (notifications.FRIEND_JOINED, alice, {"referee_id": str(bob)}),
            (INVITATION, alice, {"email": friend, "email_key": friend, "language": "en"}),
            (Purpose.RESET_PASSWORD.value, bob, {}),
        ):
            enqueue(rows.session, kind, data, user_id=user_id, now=rows.now)
