"""The route of a path, found without trying all routes."""

import re

from fastapi import APIRouter
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send


class RouteTable:
    """Passes a request to a router of the few routes that its path may match, in their order.

    Starlette tries one route after the other: the last of a hundred would cost more than its endpoint. There is a
    router for each path without parameters, and for each text before a first parameter.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._routers: dict[str, APIRouter] = {}
        self._build()  # now, so that forked processes share it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("router", self._router)  # `url_for` searches all routes
        await self._find(scope).app(scope, receive, send)

    def may_match(self, scope: Scope) -> bool:
        """Return whether there are routes that the path may match. A request for any other path is 404."""
        return bool(self._find(scope).routes)

    def _find(self, scope: Scope) -> APIRouter:
        if scope["type"] != "http" or scope.get("root_path"):
            return self._router
        if self._built_for != len(self._router.routes):
            self._build()
        path = scope["path"]
        router = self._routers.get(path)
        if router is None:
            found = self._longest_prefix.match(path)
            router = self._routers[found.group() if found else ""]
        return router

    def _build(self) -> None:
        routes = [(route, _prefix(route), _is_fixed(route)) for route in self._router.routes]
        prefixes = {"", *(prefix for _, prefix, is_fixed in routes if not is_fixed)}
        longest_first = sorted(prefixes, key=len, reverse=True)
        self._longest_prefix = re.compile("|".join(map(re.escape, longest_first)))
        for path in prefixes | {prefix for _, prefix, _ in routes}:
            self._routers[path] = self._router_of(
                [
                    route
                    for route, prefix, is_fixed in routes
                    if (prefix == path if is_fixed else path.startswith(prefix))
                ]
            )
        self._built_for = len(routes)

    def _router_of(self, routes: list[BaseRoute]) -> APIRouter:
        slashes, default = self._router.redirect_slashes, self._router.default
        return APIRouter(routes=routes, redirect_slashes=slashes, default=default)


def _prefix(route: BaseRoute) -> str:
    """Return the text with which every path of the route begins."""
    path: str = getattr(route, "path", "")
    return path.partition("{")[0]


def _is_fixed(route: BaseRoute) -> bool:
    return isinstance(route, Route) and "{" not in route.path
