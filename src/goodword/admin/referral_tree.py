"""Who brought somebody, and whom they brought in turn: one recursive query."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Row, bindparam, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from goodword.db.database import Database
from goodword.referrals.models import Referral
from goodword.users.models import User

MAX_DEPTH = 5
CHILDREN = 50
NODES = 1000
"""At most so many people of each are shown, the latest first, and so many in all: a tree can be huge."""


async def load(database: Database, user_id: uuid.UUID, *, depth: int) -> Sequence[Row[Any]]:
    """Whoever brought this person (level -1), the person (0), and whom they brought, level by level.

    Nothing for an unknown id. `referrals` counts all that a person brought, also those not shown.
    """
    return await database.rows(_TREE, user_id=user_id, depth=depth, children=CHILDREN, nodes=NODES)


def _oldest_shown(referrer_id: Any) -> Any:
    # The time of the last child that is shown, or null if all are. Found in the index for each person once:
    # a window over all referrals, or a count for each child, would read far more, and SQLite has no LATERAL.
    child = aliased(Referral)
    return (
        select(child.created_at)
        .where(child.referrer_id == referrer_id)
        .order_by(child.created_at.desc(), child.id.desc())
        .offset(bindparam("children", type_=Integer) - 1)
        .limit(1)
        .scalar_subquery()
    )


def _tree() -> Any:
    by = aliased(Referral)
    root = bindparam("user_id", type_=User.id.type)
    referrer = select(by.referrer_id).where(by.referee_id == root).scalar_subquery()
    tree = (
        select(
            User.id,
            case((User.id == root, 0), else_=-1).label("level"),
            _oldest_shown(User.id).label("oldest_shown"),
        )
        .where(or_(User.id == root, User.id == referrer))
        .cte("tree", recursive=True)
    )
    tree = tree.union_all(
        select(Referral.referee_id, tree.c.level + 1, _oldest_shown(Referral.referee_id)).where(
            Referral.referrer_id == tree.c.id,
            tree.c.level.between(0, bindparam("depth", type_=Integer) - 1),
            or_(tree.c.oldest_shown.is_(None), Referral.created_at >= tree.c.oldest_shown),
        )
    )
    # The limit stands inside, where it ends the recursion: both databases go level by level.
    shown = select(tree.c.id, tree.c.level).limit(bindparam("nodes", type_=Integer)).subquery("shown")
    child = aliased(Referral)
    brought = select(func.count(literal(1))).where(child.referrer_id == shown.c.id).scalar_subquery()
    return (
        select(
            shown.c.level,
            User.id,
            User.email,
            User.first_name,
            User.last_name,
            User.status,
            Referral.id.label("referral_id"),
            Referral.referrer_id,
            Referral.status.label("referral_status"),
            Referral.created_at.label("joined_at"),
            brought.label("referrals"),
        )
        .join_from(shown, User, User.id == shown.c.id)
        .outerjoin(Referral, Referral.referee_id == shown.c.id)
        .order_by(shown.c.level, Referral.created_at.desc(), Referral.id.desc())
    )


_TREE = _tree()
