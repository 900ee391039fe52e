"""How a page is made: templates in each language, and the policy that guards it."""

from collections.abc import Mapping
from functools import partial
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from goodword.config.settings import Settings
from goodword.errors import AppError
from goodword.languages import DEFAULT, LANGUAGES, NAMES, to_translate
from goodword.services import services_of
from goodword.web.forms import local_path
from goodword.web.html import assets, messages

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
NO_SCRIPT = POLICY.replace(" script-src 'self';", "")


def _catalogue(language: str) -> NullTranslations:
    if language == DEFAULT:
        return NullTranslations()
    with (HERE / "translations" / f"{language}.mo").open("rb") as file:
        return GNUTranslations(file)


def _environment(catalogue: NullTranslations) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(sorted(PACKAGE.rglob("templates"))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    return environment


_CATALOGUES = {language: _catalogue(language) for language in LANGUAGES}
_ENVIRONMENTS = {language: _environment(catalogue) for language, catalogue in _CATALOGUES.items()}


def translate(language: str, text: str, **values: object) -> str:
    """A text that was marked by `to_translate`. Templates do not translate variables: that skips escaping."""
    said = _CATALOGUES[language].gettext(text)
    return said % values if values else said


def translate_for(request: Request, text: str, **values: object) -> str:
    """The same, in the language of whoever asked."""
    return translate(services_of(request).page_cookies.language(request), text, **values)


def link(request: Request, path: str) -> str:
    """A path as the browser sees it: behind a proxy the service may stand below another path."""
    return _link(services_of(request).settings, path)


def render(settings: Settings, language: str, template: str, *, here: str, **values: Any) -> str:
    """A page as text. `here` is where it comes back to when another language is chosen."""
    return (
        _ENVIRONMENTS[language]
        .get_template(template)
        .render(
            link=partial(_link, settings),
            file=lambda name: _link(settings, assets.path(name)),
            language=language,
            languages=NAMES,
            here=here,
            public_url=settings.public_url,
            **values,
        )
    )


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    leads_elsewhere: bool = False,
    here: str | None = None,
    **values: Any,
) -> Response:
    """An HTML page. `leads_elsewhere`: its form ends, through redirects, at the address of an app.

    Chromium holds every redirect after a form against `form-action`, those that the app adds too. Nobody
    knows them, so such a page goes without; all that it shows is escaped, and it runs no script.
    """
    services = services_of(request)
    text = render(
        services.settings,
        services.page_cookies.language(request),
        template,
        here=here or _here(request),
        script=not leads_elsewhere,
        **values,
    )
    return html_response(text, status=status, headers=headers, leads_elsewhere=leads_elsewhere)


def html_response(
    text: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    leads_elsewhere: bool = False,
) -> Response:
    """The answer that carries a page, under its policy."""
    policy = NO_SCRIPT if leads_elsewhere else f"{POLICY}; form-action 'self'"
    # Under `no-referrer` browsers hide the origin of a form, which `forms.is_from_here` looks at.
    own = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return HTMLResponse(text, status, {**(headers or {}), **own})


def message_page(request: Request, status: int, title: str, text: str, **values: object) -> Response:
    """A page that says what went wrong, to a person. `title` and `text` are marked by `to_translate`."""
    return page(
        request,
        "error.html",
        status=status,
        here=_path(request),
        title=translate_for(request, title),
        text=translate_for(request, text, **values),
        request_id=request.state.request_id,
        signs_in=False,
    )


def render_error(request: Request, error: AppError) -> Response | None:
    """An error as a page, where a browser shows it to a person. The API answers in JSON, whoever asks."""
    path: str = request.scope["path"]
    if "text/html" not in request.headers.get("accept", "") or path.startswith("/api/"):
        return None
    return page(
        request,
        "error.html",
        status=error.status,
        headers=error.headers,
        here=_path(request),
        title=translate_for(request, messages.title_of(error)),
        text=translate_for(request, messages.text_of(error)),
        request_id=request.state.request_id,
        signs_in=path.startswith("/oauth/"),
    )


def foreign_form(request: Request) -> Response:
    """The refusal of a form that another site sent, or that was made for somebody else."""
    return message_page(request, 403, to_translate("Not from here"), messages.FOREIGN)


def see_other(url: str) -> Response:
    """On to the next page. 303, so that no browser sends a password along (RFC 9700 §4.12)."""
    return RedirectResponse(url, 303)


def _link(settings: Settings, path: str) -> str:
    return urlsplit(settings.public_url).path + path


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1") if request.method == "GET" else ""
    return local_path(f"{_path(request)}?{query}" if query else _path(request))


def _path(request: Request) -> str:
    path = quote(request.scope["path"])
    return link(request, path if request.method == "GET" or path in messages.FORMS else "/")
