"""The statement by which a referral is assessed."""

from typing import Any

from sqlalchemy import LargeBinary, bindparam, exists, func, or_, select

from goodword.providers.models import EmailCheck
from goodword.referrals.models import Referral
from goodword.risk.models import FormerReferee
from goodword.sessions.models import SeenClient
from goodword.touches.models import Touch
from goodword.users.models import User

_TIME = Referral.created_at.type


def _facts() -> Any:
    """Return a statement with one row, whose parts each read a few rows by an index."""
    network, device = (_known(name) for name in ("network_mac", "device_mac"))
    seen = (
        SeenClient.user_id == bindparam("referrer_id"),
        SeenClient.created_at > bindparam("seen_from", type_=_TIME),
        SeenClient.created_at < bindparam("seen_until", type_=_TIME),
    )
    latest = (
        select(Referral.id)
        .where(
            Referral.code_id == bindparam("code_id"),
            Referral.created_at > bindparam("since", type_=_TIME),
        )
        .limit(bindparam("most"))
        .subquery()
    )
    mailbox, other = bindparam("mailbox", type_=User.email_canonical.type), User.id != bindparam("referee_id")
    return select(
        network.label("network_mac"),
        device.label("device_mac"),
        exists().where(*seen, SeenClient.network_mac == network).label("same_network"),
        exists().where(*seen, SeenClient.device_mac == device).label("same_device"),
        or_(
            exists().where(User.email_canonical == mailbox, other),
            exists().where(User.reported_email_canonical == mailbox, other),
        ).label("same_mailbox"),
        select(func.count()).select_from(latest).scalar_subquery().label("sign_ups"),
        select(EmailCheck.status)
        .where(EmailCheck.address_mac == bindparam("address_mac", type_=LargeBinary))
        .scalar_subquery()
        .label("email_status"),
        exists()
        .where(
            FormerReferee.program_id == bindparam("program_id"),
            or_(*(FormerReferee.person_mac == _mac(name) for name in ("person_mac", "other_mac"))),
        )
        .label("registered_before"),
    )


def _known(name: str) -> Any:
    """Return the given keyed hash, else that of the touch."""
    of_touch = select(Touch.__table__.c[name]).where(Touch.id == bindparam("touch_id")).scalar_subquery()
    return func.coalesce(_mac(name), of_touch)


def _mac(name: str) -> Any:
    return bindparam(name, type_=LargeBinary)


FACTS = _facts()
