"""Invented users, their codes and their referrals."""

from collections.abc import Sequence
from datetime import datetime

from goodword.audit.actions import Action, Subject
from goodword.cli.demo.rows import DAY, MINUTE, Row, Rows
from goodword.codes import code_format
from goodword.codes.models import ReferralCode, Retirement
from goodword.crypto import hmac_of
from goodword.referrals.models import Referral, ReferralStatus
from goodword.users import addresses
from goodword.users.models import User

PEOPLE, DAYS = 300, 90
ADMIN, ALICE, BOB = "admin@example.com", "alice@example.com", "bob@example.com"
FIRST_NAMES = [
    "Carol",
    "Dave",
    "Erin",
    "Frank",
    "Grace",
    "Heidi",
    "Ivan",
    "Judy",
    "Mallory",
    "Niaj",
    "Olivia",
    "Peggy",
    "Rupert",
    "Sybil",
    "Trent",
    "Victor",
    "Wendy",
    "Анна",
    "Борис",
    "Вера",
    "Глеб",
    "Дина",
    "Егор",
]
LAST_NAMES = [
    "Sampleton",
    "Placeholder",
    "Mockingham",
    "Testwell",
    "Demoville",
    "Fictionaire",
    "Dummyfield",
    "Inventova",
]
LAST_NAMES_RU = ["Примеренко", "Образцовых", "Тестовских", "Пробных"]
REASONS = ("Two accounts of one person", "The address does not exist", "Asked to be removed")
ALICE_POPULARITY = 60


def sign_up_times(rows: Rows) -> Sequence[datetime]:
    """Return times: more and more a day, fewer at weekends, and many on the day of a campaign."""
    days = [rows.now - n * DAY for n in range(DAYS - 1, 0, -1)]
    weights = [
        (10 + n) * (0.5 if day.weekday() >= 5 else 3 if n == 2 * DAYS // 3 else 1)
        for n, day in enumerate(days)
    ]
    chosen = rows.random.choices(days[2:], weights[2:], k=PEOPLE - 2)
    return [*days[:2], *sorted(rows.after(day, DAY) for day in chosen)]


def add_person(rows: Rows, number: int, joined: datetime, password_hash: str) -> Row:
    """Add Alice as number 0, Bob as number 1, then others, who have no password."""
    if number < 2:
        email, first_name = ((ALICE, "Alice"), (BOB, "Bob"))[number]
        return add_user(rows, joined, email, (first_name, "Example"), password_hash=password_hash)
    first_name = rows.random.choice(FIRST_NAMES)
    last_name = rows.random.choice(LAST_NAMES if first_name.isascii() else LAST_NAMES_RU)
    email = f"{first_name.lower() if first_name.isascii() else 'user'}.{number}@example.com"
    return add_user(rows, joined, email, (first_name, last_name), is_verified=rows.chance(0.85))


def add_user(
    rows: Rows,
    at: datetime,
    email: str,
    names: tuple[str, str] | None = None,
    *,
    password_hash: str | None = None,
    is_verified: bool = True,
) -> Row:
    address, verified_at = addresses.parse(email), rows.after(at, 90 * MINUTE)
    is_verified = is_verified and verified_at < rows.now
    user = rows.add(
        User,
        at,
        email=address.text,
        email_key=address.key,
        email_canonical=address.canonical,
        password_hash=password_hash,
        first_name=names[0] if names else None,
        last_name=names[1] if names else None,
        language="ru" if names and not names[0].isascii() else "en",
        verified_at=verified_at if is_verified else None,
    )
    rows.record(at, user, Action.USER_REGISTERED, Subject.USER, user["id"], by="password")
    if is_verified:
        rows.record(verified_at, user, Action.EMAIL_VERIFIED, Subject.USER, user["id"])
    return user


def refer(rows: Rows, user: Row, popularity: dict[object, float]) -> None:
    """Let the user have joined with a code that could be used then. Bob has, most others too."""
    at, is_bob = user["created_at"], user["email"] == BOB
    codes = [code for code in rows.by_model[ReferralCode] if _is_usable(code, at)]
    if not codes or not (is_bob or rows.chance(0.7)):
        return
    code = rows.random.choices(codes, [popularity[one["owner_id"]] for one in codes])[0]
    code["uses"] += 1
    status = ReferralStatus.CONFIRMED if user["verified_at"] else ReferralStatus.PENDING
    if not is_bob and rows.chance(0.05):
        status = ReferralStatus.REJECTED
    referral = rows.add(
        Referral,
        at,
        referrer_id=code["owner_id"],
        referee_id=user["id"],
        code_id=code["id"],
        status=status,
        reason=rows.random.choice(REASONS) if status == ReferralStatus.REJECTED else None,
        confirmed_at=user["verified_at"] if status == ReferralStatus.CONFIRMED else None,
    )
    about = (Subject.REFERRAL, referral["id"], code["owner_id"])
    rows.record(at, user, Action.REFERRAL_MADE, *about, code_id=str(code["id"]), confirmed=False)
    if referral["confirmed_at"]:
        rows.record(referral["confirmed_at"], user, Action.REFERRAL_CONFIRMED, *about)


def add_codes(rows: Rows, user: Row, popularity: dict[object, float]) -> None:
    """Let the user have created codes, one after the other, until one is in use still or was not renewed."""
    is_alice = user["email"] == ALICE
    if not is_alice and not rows.chance(0.55):
        return
    popularity[user["id"]] = ALICE_POPULARITY if is_alice else rows.random.paretovariate(1.5)
    at, term = rows.after(user["created_at"], 30 * MINUTE if is_alice else 3 * DAY), 60 * DAY
    while at < rows.now:
        if not is_alice:
            term = rows.random.choice((7, 14, 30, 60, 90)) * DAY
        code = _add_code(rows, user, at, at + term)
        is_expired = is_alice or rows.chance(0.85)
        at = rows.after(at + term, DAY) if is_expired else rows.after(at, term)
        if at >= rows.now or not (is_alice or rows.chance(0.6)):
            break
        code["retired_at"], code["retired_reason"] = (
            at,
            Retirement.EXPIRED if is_expired else Retirement.REPLACED,
        )
        about = (Subject.CODE, code["id"], user["id"])
        rows.record(at, user, Action.CODE_RETIRED, *about, why=code["retired_reason"])
    if is_alice or rows.chance(0.1):
        _add_code(
            rows, user, rows.since(max(rows.now - DAY, user["created_at"])), rows.now + 30 * DAY, active=False
        )


def _add_code(rows: Rows, user: Row, at: datetime, expires_at: datetime, *, active: bool = True) -> Row:
    text, kind = code_format.generate(), "generated"
    if user["first_name"].isascii() and rows.chance(0.3):
        text, kind = f"{user['first_name'].upper()}-{1000 + len(rows.by_model[ReferralCode])}", "chosen"
    key = code_format.normalise(text) or ""
    code = rows.add(
        ReferralCode,
        at,
        owner_id=user["id"],
        code=text,
        key=key,
        key_mac=hmac_of(rows.services.keys.referral_codes, key.encode()),
        kind=kind,
        expires_at=expires_at,
        activated_at=at if active else None,
        max_uses=rows.random.choice((3, 5)) if user["email"] != ALICE and rows.chance(0.1) else None,
    )
    rows.record(at, user, Action.CODE_ISSUED, Subject.CODE, code["id"], user["id"], kind=kind, active=active)
    return code


def _is_usable(code: Row, at: datetime) -> bool:
    if code["activated_at"] is None or not code["activated_at"] <= at < code["expires_at"]:
        return False
    if code["retired_at"] and code["retired_at"] <= at:
        return False
    return code["max_uses"] is None or code["uses"] < code["max_uses"]
