"""/admin/users/{id}/tree: who brought whom, as a picture and as a list that says the same."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from fastapi import Request, Response

from goodword.admin import referral_tree, service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.admin.pages.users import ONE
from goodword.referrals.service import UserNotFound
from goodword.services import services_of
from goodword.web.dependencies import Session
from goodword.web.html.rendering import link

router = admin_router()

DEPTH = 3
DRAWN = 150
"""People in the picture; the list has all that were found."""
STEP, LINE, MARGIN, LABEL = 190, 26, 16, 170
SMALLEST, LARGEST = 4, 10


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the tree, with those whom they brought and who are shown."""

    row: Any
    friends: list["Person"] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many they brought besides."""
        brought: int = self.row.referrals
        return max(brought - len(self.friends), 0)


class Dot(NamedTuple):
    row: Any
    x: int
    y: int
    radius: int
    text_y: int


class Line(NamedTuple):
    """From who brought somebody to that one; `status` is the referral's."""

    path: str
    status: str


class Picture(NamedTuple):
    dots: Sequence[Dot]
    lines: Sequence[Line]
    width: int
    height: int


@router.get(f"{ONE}/tree")
async def show_tree(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session
) -> Response:
    """Who brought this person, and whom they brought, as many levels down as is asked for. The audit notes it."""
    asked = request.query_params.get("depth", "")
    depths = range(1, referral_tree.MAX_DEPTH + 1)
    depth = next((one for one in depths if str(one) == asked), DEPTH)
    rows = await referral_tree.load(services_of(request).database, user_id, depth=depth)
    if not rows:
        raise UserNotFound
    service.note_look(session, user_id)
    top = grown(rows)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_tree.html",
        top=top,
        person=next(row for row in rows if row.level == 0),
        picture=drawn(grown(rows[:DRAWN])),
        is_cut=len(rows) > DRAWN,
        drawn=DRAWN,
        depth=depth,
        depths=depths,
        here=link(request, f"/admin/users/{user_id}/tree?depth={depth}"),
    )


def grown(rows: Sequence[Any]) -> Person:
    """The tree of rows that come level by level. Whoever brought the person asked for is the top."""
    everybody: dict[uuid.UUID, Person] = {}
    for row in rows:
        person = everybody[row.id] = Person(row)
        if len(everybody) > 1:
            everybody[row.referrer_id].friends.append(person)
    return next(iter(everybody.values()))


def drawn(top: Person) -> Picture:
    """From left to right, level by level. Each who brought nobody has a line; others stand amid their friends."""
    dots: list[Dot] = []
    lines: list[Line] = []
    free_line = count()

    def place(person: Person, level: int) -> Dot:
        friends = [place(friend, level + 1) for friend in person.friends]
        if friends:
            y = (friends[0].y + friends[-1].y) // 2
            text_y = y - 6
        else:
            y = MARGIN + next(free_line) * LINE
            text_y = y + 4
        radius = min(SMALLEST + math.isqrt(person.row.referrals), LARGEST)
        dot = Dot(person.row, MARGIN + level * STEP, y, radius, text_y)
        lines.extend(Line(_curve(dot, friend), friend.row.referral_status) for friend in friends)
        dots.append(dot)
        return dot

    place(top, 0)
    width = max(dot.x for dot in dots) + LABEL
    return Picture(dots, lines, width, 2 * MARGIN + (next(free_line) - 1) * LINE)


def _curve(start: Dot, end: Dot) -> str:
    # Level until the name is past, which stands above the line of those who have friends.
    turn, middle = end.x - STEP // 3, end.x - STEP // 6
    return f"M{start.x} {start.y} H{turn} C{middle} {start.y} {middle} {end.y} {end.x} {end.y}"
