"""The route of a path is found without trying all of them, and is the one that FastAPI would find."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from httpx2 import ASGITransport, AsyncClient
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.web.route_table import RouteTable

pytestmark = pytest.mark.one_database


class Watched(Route):
    """A route that remembers the paths that were compared with it."""

    def matches(self, scope):
        self.compared = [*getattr(self, "compared", []), scope["path"]]
        return super().matches(scope)


async def say_it(request):
    return PlainTextResponse(f"{request.path_params}")


async def test_a_path_is_compared_only_with_routes_that_it_may_match(database_url):
    app = create_app(settings_for(database_url))
    fixed, with_parameter = Watched("/watched", say_it), Watched("/watched/{name}", say_it)
    app.router.routes[:0] = [fixed, with_parameter]
    async with running(app), client_of(app) as client:
        for path in ("/livez", "/nowhere", "/r/7KQ2M9XWPA", "/api/v1/me", "/admin/x", "/watcher"):
            await client.get(path)
        answers = [await client.get("/watched"), await client.get("/watched/x")]

    assert [answer.text for answer in answers] == ["{}", "{'name': 'x'}"]
    assert (fixed.compared, with_parameter.compared) == (["/watched"], ["/watched/x"])


def app_with_all_kinds(*, with_table):
    app, included, inner = FastAPI(redirect_slashes=False, openapi_url=None), APIRouter(), FastAPI()

    def add(router, path, *methods):
        async def endpoint(request: Request):
            return [path, request.path_params, request.scope["root_path"]]

        router.add_api_route(path, endpoint, methods=methods, name=path)

    if with_table:
        app.router.middleware_stack = RouteTable(app.router)
    add(app, "/", "GET")
    add(app, "/a", "GET")
    add(app, "/a", "POST", "PUT")
    add(app, "/a/{x}", "GET")
    add(app, "/a/late", "GET", "DELETE")
    add(app, "/a/{x}/b", "GET")
    add(app, "/a{x}", "PATCH")
    add(app, "/a/{x:int}/n", "GET")
    add(included, "/in", "GET")
    add(included, "/in/{x}", "POST")
    app.include_router(included, prefix="/included")
    add(inner, "/deep/{x}", "GET")
    app.mount("/mounted", inner)
    app.router.routes.append(Mount("/files", routes=[Route("/{x}", say_it)]))
    app.router.routes.append(Route("/z{rest:path}", say_it, methods=None))
    return app, add


async def answers_of(app, paths):
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        found = {}
        for path in paths:
            for method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"):
                answer = await client.request(method, path)
                allowed = sorted(answer.headers.get("allow", "").split(", "))
                found[method, path] = (answer.status_code, answer.text, allowed)
        return found


async def test_it_finds_what_fastapi_finds():
    paths = [
        "/",
        "/a",
        "/a/",
        "/a/1",
        "/a/late",
        "/a/late/b",
        "/a/1/n",
        "/a/x/n",
        "/ab",
        "/b",
        "/A",
        "//a",
        "/a%2F1",
    ]
    paths += [
        "/included/in",
        "/included/in/1",
        "/included",
        "/mounted/deep/1",
        "/mounted",
        "/mounted/x",
        "/zoo",
    ]
    paths += ["/files/1", "/files/1/2", "/z", "/added/1", "/added/1/2"]
    ours, add = app_with_all_kinds(with_table=True)
    theirs, add_to_theirs = app_with_all_kinds(with_table=False)
    assert await answers_of(ours, paths) == await answers_of(theirs, paths)

    add(ours, "/added/{x}", "GET")
    add_to_theirs(theirs, "/added/{x}", "GET")

    found = await answers_of(ours, paths)
    assert found == await answers_of(theirs, paths)
    assert found["GET", "/added/1"][0] == 200


async def test_the_url_of_any_route_is_known_below_the_prefix_of_a_proxy():
    app, _ = app_with_all_kinds(with_table=True)

    @app.get("/urls/{x}")
    async def urls(request: Request):
        return str(request.url_for("/a/{x}", x="1").path)

    async with AsyncClient(
        transport=ASGITransport(app, root_path="/below"), base_url="http://127.0.0.1"
    ) as client:
        assert (await client.get("/below/urls/1")).json() == "/below/a/1"
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        assert (await client.get("/urls/1")).json() == "/a/1"
