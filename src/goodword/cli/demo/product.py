"""An invented shop with customers of its own: its program, those whom it reports, and clicks on links."""

from datetime import datetime

from goodword.audit.actions import Action, Subject
from goodword.cli.demo import people
from goodword.cli.demo.purchases import add_confirmations, add_purchases, add_rules
from goodword.cli.demo.rows import DAY, Row, Rows
from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.crypto import hmac_of
from goodword.programs.models import Attribution, Program, ProgramStatus, UnusableLink
from goodword.referrals.models import AttributedBy, Referral, ReferralStatus
from goodword.touches.models import Touch, TouchKind
from goodword.users import addresses
from goodword.users.models import User

CUSTOMERS, CLICKS = 80, 1_200
HASHES_KEPT = 30 * DAY
DEFAULT_KEPT = 60
"""Days that touches of the default program are kept: its window, and 30 days."""
HOSTS = ("chat.example", "www.acme.example", "social.example", "blog.example", None)
YEAR = 365 * DAY


def add_product(rows: Rows) -> None:
    """Add a program with customers who refer each other, and the clicks on the links of all programs."""
    start = rows.now - people.DAYS * DAY
    program = rows.add(
        Program,
        start,
        slug="acme",
        name="Acme customers",
        status=ProgramStatus.ACTIVE,
        starts_at=start,
        time_zone="Europe/Berlin",
        currency="EUR",
        link_target="https://www.acme.example/join?ref={code}",
        unusable_link=UnusableLink.TARGET,
        code_lifetime=int(YEAR.total_seconds()),
        attribution=Attribution.FIRST_TOUCH,
        attribution_window=int((60 * DAY).total_seconds()),
        late_entry_grace=int((3 * DAY).total_seconds()),
    )
    rows.record(start, None, Action.PROGRAM_CREATED, Subject.PROGRAM, program["id"])
    codes: list[Row] = []
    for number in range(CUSTOMERS):
        at = start + (rows.now - start) * ((number + rows.random.random()) / (CUSTOMERS + 1))
        customer = _add_customer(rows, program, number, at)
        if codes and rows.chance(0.6):
            _refer(rows, customer, rows.random.choices(codes, [1 / (n + 1) for n in range(len(codes))])[0])
        codes.append(_add_code(rows, program, customer))
    add_purchases(rows, program, add_rules(rows, program, start))
    add_confirmations(rows, start)
    _add_clicks(rows, program)


def _add_customer(rows: Rows, program: Row, number: int, at: datetime) -> Row:
    first_name, last_name = rows.random.choice(people.FIRST_NAMES), rows.random.choice(people.LAST_NAMES)
    address = addresses.parse(f"customer.{number}@example.com")
    user = rows.add(
        User,
        at,
        external_id=f"customer-{1000 + number}",
        program_id=program["id"],
        reported_email=address.text,
        reported_email_key=address.key,
        first_name=first_name,
        last_name=last_name,
        language="en" if first_name.isascii() else "ru",
    )
    rows.record(at, None, Action.USER_REGISTERED, Subject.USER, user["id"], by="server")
    return user


def _add_code(rows: Rows, program: Row, owner: Row) -> Row:
    at, text = owner["created_at"], code_format.generate()
    key = code_format.normalise(text) or ""
    code = rows.add(
        ReferralCode,
        at,
        owner_id=owner["id"],
        program_id=program["id"],
        code=text,
        key=key,
        key_mac=hmac_of(rows.services.keys.referral_codes, key.encode()),
        kind="generated",
        expires_at=at + YEAR,
        activated_at=at,
    )
    about = Subject.CODE, code["id"], owner["id"]
    rows.record(at, None, Action.CODE_ISSUED, *about, kind="generated", active=True)
    return code


def _refer(rows: Rows, customer: Row, code: Row) -> None:
    """Let the customer have come by a code that was entered, or by a click on its link."""
    at, touch = customer["created_at"], None
    if rows.chance(0.7):
        clicked_at = max(at - DAY * rows.random.expovariate(0.3), code["created_at"])
        touch = _add_touch(rows, code, clicked_at)
    code["uses"] += 1
    referral = rows.add(
        Referral,
        at,
        referrer_id=code["owner_id"],
        referee_id=customer["id"],
        code_id=code["id"],
        program_id=code["program_id"],
        attributed_by=AttributedBy.TOUCH if touch else AttributedBy.CODE,
        touch_id=touch["id"] if touch else None,
        status=ReferralStatus.CONFIRMED,
        confirmed_at=at,
    )
    about = Subject.REFERRAL, referral["id"], code["owner_id"]
    rows.record(at, None, Action.REFERRAL_MADE, *about, code_id=str(code["id"]), confirmed=True)


def _add_clicks(rows: Rows, program: Row) -> None:
    """Add clicks on the links of all codes, on those with referrals more than on others.

    Clicks for the default program are younger: it keeps them for less time.
    """
    codes = [code for code in rows.by_model[ReferralCode] if code["activated_at"]]
    for code in rows.random.choices(codes, [1 + 3 * code["uses"] for code in codes], k=CLICKS):
        end = min(code["retired_at"] or rows.now, code["expires_at"], rows.now)
        oldest = rows.now - (people.DAYS if code["program_id"] == program["id"] else DEFAULT_KEPT) * DAY
        begin = max(code["activated_at"], oldest)
        if begin < end:
            _add_touch(rows, code, rows.after(begin, end - begin))


def _add_touch(rows: Rows, code: Row, at: datetime) -> Row:
    is_recent = at > rows.now - HASHES_KEPT
    return rows.add(
        Touch,
        at,
        program_id=code["program_id"],
        code_id=code["id"],
        kind=TouchKind.CLICK,
        network_mac=rows.random.randbytes(32) if is_recent else None,
        device_mac=rows.random.randbytes(32) if is_recent else None,
        host=rows.random.choice(HOSTS),
    )
