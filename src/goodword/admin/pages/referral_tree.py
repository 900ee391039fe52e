"""/admin/users/{id}/tree: a user with the referrer above, and the referred users below in branches that fold."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response

from goodword.admin import flags, referral_tree, service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.admin.pages.users import USER_PATH
from goodword.referrals.service import UserNotFound
from goodword.services import services_of
from goodword.web.dependencies import Session
from goodword.web.html.rendering import link

router = admin_router()

DEFAULT_DEPTH = 3
MAX_SHOWN = 150
"""The most users on a page, the nearest first. Links lead to the trees of the others."""
MAX_OPEN = 30
"""The most users of a tree whose branches are open at first."""


@dataclass(frozen=True, slots=True)
class Node:
    """A user in the tree, with the loaded users that they referred."""

    row: Any
    children: list["Node"] = field(default_factory=list)

    @property
    def more(self) -> int:
        """Return the number of referrals that are not loaded."""
        total: int = self.row.referrals
        return max(total - len(self.children), 0)


@router.get(f"{USER_PATH}/tree")
async def show_tree(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session
) -> Response:
    """Show the tree of a user down to a number of levels. The audit log records the view."""
    asked = request.query_params.get("depth", "")
    depths = range(1, referral_tree.MAX_DEPTH + 1)
    depth = next((one for one in depths if str(one) == asked), DEFAULT_DEPTH)
    rows = await referral_tree.load(services_of(request).database, user_id, depth=depth)
    if not rows:
        raise UserNotFound
    service.record_view(session, user_id)
    shown = rows[:MAX_SHOWN]
    return await admin_page(
        request,
        session,
        visitor,
        "admin_tree.html",
        referrer=next((row for row in shown if row.level < 0), None),
        person=build_tree([row for row in shown if row.level >= 0]),
        is_open=len(shown) <= MAX_OPEN,
        flags=await flags.find(session, services_of(request).settings, [row.id for row in shown]),
        depth=depth,
        depths=depths,
        here=link(request, f"/admin/users/{user_id}/tree?depth={depth}"),
    )


def build_tree(rows: Sequence[Any]) -> Node:
    """Return the root of the tree of rows, which are sorted by level. Users with referrals come first."""
    nodes: dict[uuid.UUID, Node] = {}
    for row in rows:
        node = nodes[row.id] = Node(row)
        if len(nodes) > 1:
            nodes[row.referrer_id].children.append(node)
    for node in nodes.values():
        node.children.sort(key=lambda child: child.row.referrals == 0)
    return next(iter(nodes.values()))
