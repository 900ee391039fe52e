"""Load the referral tree of a user with one recursive query."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Row, bindparam, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from goodword.db.database import Database
from goodword.referrals.models import Referral
from goodword.users.models import User, handle_of

MAX_DEPTH = 5
CHILDREN = 50
NODES = 1000
"""The most children of one user, latest first, and the most users in total. A tree can be huge."""


async def load(database: Database, user_id: uuid.UUID, *, depth: int) -> Sequence[Row[Any]]:
    """Return the referrer of a user (level -1), the user (0), and the users that they referred, level by level.

    Return no row for an unknown id. `referrals` counts all referrals of a user, also those that are not loaded. A user
    who joined several programs is below the first of the referrers alone.
    """
    rows = await database.replica_rows(_TREE, user_id=user_id, depth=depth, children=CHILDREN, nodes=NODES)
    below: dict[uuid.UUID, Row[Any]] = {}
    for row in rows:
        if row.level >= 0:
            below.setdefault(row.id, row)
    return [row for row in rows if row.level < 0 or row is below[row.id]]


def _oldest_loaded(referrer_id: Any) -> Any:
    # The time of the last child within the limit, or null if all are. One index look-up per user: a window function or
    # a count per child reads far more, and SQLite has no LATERAL.
    child = aliased(Referral)
    return (
        select(child.created_at)
        .where(child.referrer_id == referrer_id)
        .order_by(child.created_at.desc(), child.id.desc())
        .offset(bindparam("children", type_=Integer) - 1)
        .limit(1)
        .scalar_subquery()
    )


def _first_referral(referee_id: Any, column: str) -> Any:
    """Return a column of the referral by which a user joined first. There can be one in each program."""
    by = aliased(Referral)
    first = select(getattr(by, column)).where(by.referee_id == referee_id).order_by(by.created_at, by.id)
    return first.limit(1).scalar_subquery()


def _tree() -> Any:
    root = bindparam("user_id", type_=User.id.type)
    tree = (
        select(
            User.id,
            case((User.id == root, 0), else_=-1).label("level"),
            _oldest_loaded(User.id).label("oldest_loaded"),
            _first_referral(User.id, "id").label("referral_id"),
        )
        .where(or_(User.id == root, User.id == _first_referral(root, "referrer_id")))
        .cte("tree", recursive=True)
    )
    # UNION, not UNION ALL: those below a user who joined several programs are loaded once.
    tree = tree.union(
        select(Referral.referee_id, tree.c.level + 1, _oldest_loaded(Referral.referee_id), Referral.id).where(
            Referral.referrer_id == tree.c.id,
            tree.c.level.between(0, bindparam("depth", type_=Integer) - 1),
            or_(tree.c.oldest_loaded.is_(None), Referral.created_at >= tree.c.oldest_loaded),
        )
    )
    # The inner limit ends the recursion: both databases go level by level.
    limited = (
        select(tree.c.id, tree.c.level, tree.c.referral_id)
        .limit(bindparam("nodes", type_=Integer))
        .subquery("limited")
    )
    child = aliased(Referral)
    referrals = select(func.count(literal(1))).where(child.referrer_id == limited.c.id).scalar_subquery()
    return (
        select(
            limited.c.level,
            User.id,
            func.coalesce(User.email, User.reported_email).label("email"),
            handle_of().label("handle"),
            User.first_name,
            User.last_name,
            User.status,
            Referral.id.label("referral_id"),
            Referral.referrer_id,
            Referral.status.label("referral_status"),
            Referral.created_at.label("joined_at"),
            referrals.label("referrals"),
        )
        .join_from(limited, User, User.id == limited.c.id)
        .outerjoin(Referral, Referral.id == limited.c.referral_id)
        .order_by(limited.c.level, Referral.created_at.desc(), Referral.id.desc())
    )


_TREE = _tree()
