"""Where nothing is: below routes that are hidden, for all that they do not answer themselves."""

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from goodword.errors import NotFound


def below(app: FastAPI, prefix: str) -> None:
    """A net: a wrong method (405) or a slash too many (307) would tell that something is there."""
    app.router.routes.append(Route(prefix + "{rest:path}", _Nothing(), include_in_schema=False))


class _Nothing:
    """An application, not a function: it takes every method."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotFound
