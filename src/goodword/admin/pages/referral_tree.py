"""/admin/users/{id}/tree: the referral tree as a picture and as a list."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

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
MAX_DRAWN = 150
"""The most users in the picture. The list has all of them."""
STEP, LINE, MARGIN, LABEL = 190, 26, 16, 170
MIN_RADIUS, MAX_RADIUS = 4, 10


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


class Dot(NamedTuple):
    row: Any
    x: int
    y: int
    radius: int
    text_y: int


class Line(NamedTuple):
    """The line of a referral from the referrer, with the status of the referral."""

    path: str
    status: str


class Picture(NamedTuple):
    dots: Sequence[Dot]
    lines: Sequence[Line]
    width: int
    height: int


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
    top = build_tree(rows)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_tree.html",
        top=top,
        person=next(row for row in rows if row.level == 0),
        picture=lay_out(build_tree(rows[:MAX_DRAWN])),
        is_cut=len(rows) > MAX_DRAWN,
        drawn=MAX_DRAWN,
        flags=await flags.find(session, services_of(request).settings, [row.id for row in rows]),
        depth=depth,
        depths=depths,
        here=link(request, f"/admin/users/{user_id}/tree?depth={depth}"),
    )


def build_tree(rows: Sequence[Any]) -> Node:
    """Return the root of the tree of rows, which are sorted by level."""
    nodes: dict[uuid.UUID, Node] = {}
    for row in rows:
        node = nodes[row.id] = Node(row)
        if len(nodes) > 1:
            nodes[row.referrer_id].children.append(node)
    return next(iter(nodes.values()))


def lay_out(top: Node) -> Picture:
    """Place the tree from left to right. A leaf has a line of its own; a parent is centred on its children."""
    dots: list[Dot] = []
    lines: list[Line] = []
    next_line = count()

    def place(node: Node, level: int) -> Dot:
        children = [place(child, level + 1) for child in node.children]
        if children:
            y = (children[0].y + children[-1].y) // 2
            text_y = y - 6
        else:
            y = MARGIN + next(next_line) * LINE
            text_y = y + 4
        radius = min(MIN_RADIUS + math.isqrt(node.row.referrals), MAX_RADIUS)
        dot = Dot(node.row, MARGIN + level * STEP, y, radius, text_y)
        lines.extend(Line(_curve(dot, child), child.row.referral_status) for child in children)
        dots.append(dot)
        return dot

    place(top, 0)
    width = max(dot.x for dot in dots) + LABEL
    return Picture(dots, lines, width, 2 * MARGIN + (next(next_line) - 1) * LINE)


def _curve(start: Dot, end: Dot) -> str:
    # Horizontal below the name, which is written above the line of a parent.
    turn, middle = end.x - STEP // 3, end.x - STEP // 6
    return f"M{start.x} {start.y} H{turn} C{middle} {start.y} {middle} {end.y} {end.x} {end.y}"
