"""Errors of the OAuth pages: redirects to the app, or error pages (RFC 6749 §4.1.2.1)."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.routing import APIRoute

from goodword.languages import to_translate
from goodword.oauth.errors import RedirectableError, UnredirectableError
from goodword.services import services_of
from goodword.web.html.rendering import message_page, see_other, translate_for

NOT_TRUSTED = to_translate(
    "%(reason)s For your safety, we did not send you back to the app. Please report this to its developers."
)


class OAuthPageRoute(APIRoute):
    """A route that responds to errors of OAuth requests. Its transaction is rolled back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def respond(request: Request) -> Response:
            try:
                return await handle(request)
            except UnredirectableError as error:
                title, reason = (
                    to_translate("This request is not valid"),
                    translate_for(request, error.detail),
                )
                return message_page(request, 400, title, NOT_TRUSTED, reason=reason)
            except RedirectableError as error:
                parameters = {
                    "error": error.code,
                    "error_description": error.detail,
                    "state": error.state,
                    "iss": services_of(request).settings.public_url,
                }
                return redirect_to_app(error.redirect_uri, parameters)

        return respond


def redirect_to_app(redirect_uri: str, parameters: dict[str, str | None]) -> Response:
    """Redirect to an app, with the parameters that are not None."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    separator = "&" if "?" in redirect_uri else "?"
    return see_other(f"{redirect_uri}{separator}{query}" if query else redirect_uri)
