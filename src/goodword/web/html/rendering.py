"""Rendering of pages: templates in each language, and the content security policy."""

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
from goodword.languages import DAY_FORMATS, DEFAULT, LANGUAGES, NAMES, format_time, to_translate
from goodword.money import format_money
from goodword.services import services_of
from goodword.web.forms import local_path
from goodword.web.html import messages
from goodword.web.html.assets import Assets

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
THOUSANDS = {"en": ",", "ru": "\N{NO-BREAK SPACE}"}
PERCENT = {"en": "%", "ru": "\N{NO-BREAK SPACE}%"}
PLURALS = {"en": {"one": 1, "other": 2}, "ru": {"one": 1, "few": 2, "many": 5}}
"""The CLDR plural categories of whole numbers, each with a number in it."""
NO_SCRIPT = POLICY.replace(" script-src 'self';", "")


def _catalogue(language: str) -> NullTranslations:
    if language == DEFAULT:
        return NullTranslations()
    with (HERE / "translations" / f"{language}.mo").open("rb") as file:
        return GNUTranslations(file)


def format_amount(language: str, amount_minor: int, currency: str | None) -> str:
    """Return an amount of money as text, or points if there is no currency."""
    if currency is not None:
        return format_money(language, amount_minor, currency)
    text = _CATALOGUES[language].ngettext("%(num)s point", "%(num)s points", abs(amount_minor))
    return text % {"num": _number(language, amount_minor)}


def _number(language: str, number: int) -> str:
    return f"{number:,}".replace(",", THOUSANDS[language])


def _environment(language: str, catalogue: NullTranslations) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(sorted(PACKAGE.rglob("templates"))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters["number"] = partial(_number, language)
    environment.filters["amount"] = partial(format_amount, language)
    environment.filters["percent"] = lambda number: f"{number}{PERCENT[language]}"
    environment.filters["day"] = lambda day: day.strftime(DAY_FORMATS[language])
    environment.filters["time"] = partial(format_time, language)
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    return environment


_CATALOGUES = {language: _catalogue(language) for language in LANGUAGES}
_ENVIRONMENTS = {language: _environment(language, catalogue) for language, catalogue in _CATALOGUES.items()}


def translate(language: str, text: str, **values: object) -> str:
    """Return the translation of a text marked by `to_translate`.

    Templates must not translate variables: `gettext` in a template marks its result as safe HTML.
    """
    translated = _CATALOGUES[language].gettext(text)
    return translated % values if values else translated


def plural_forms(language: str, one: str, other: str) -> Mapping[str, str]:
    """Return the translation of a text with a count for each CLDR plural category, as `Intl.PluralRules` names it."""
    catalogue = _CATALOGUES[language]
    return {category: catalogue.ngettext(one, other, count) for category, count in PLURALS[language].items()}


def share_text(settings: Settings, language: str) -> str:
    """Return the text that is shared with a referral link."""
    own = settings.share_text
    return own[language] if own else translate(language, to_translate("Join with my link:"))


def error_values(request: Request, error: AppError) -> dict[str, Any]:
    """Return the values in the texts of errors: the time to wait, as it follows "in", and the password's length."""
    services, seconds = services_of(request), int(error.headers.get("Retry-After", "1"))
    catalogue, minutes = _CATALOGUES[_language(request)], -(-seconds // 60)
    if seconds < 120:
        wait = catalogue.ngettext("%(num)s second", "%(num)s seconds", seconds) % {"num": seconds}
    else:
        wait = catalogue.ngettext("%(num)s minute", "%(num)s minutes", minutes) % {"num": minutes}
    return {"wait": wait, "least": services.settings.password_min_length}


def explain(request: Request, error: AppError) -> str:
    """Return what an error means for the user."""
    return translate_for(request, messages.text_of(error), **error_values(request, error))


def translate_for(request: Request, text: str, **values: object) -> str:
    """Translate a text to the language of the request."""
    return translate(_language(request), text, **values)


def done_text(request: Request, texts: Mapping[str, str]) -> str | None:
    """Return the text for the query parameter `done`, which says what the last form did."""
    text = texts.get(request.query_params.get("done", ""))
    return translate_for(request, text) if text else None


def link(request: Request, path: str) -> str:
    """Return a path of this service for the browser, with the path of PUBLIC_URL in front."""
    return _link(services_of(request).settings, path)


def render(
    settings: Settings, assets: Assets, language: str, template: str, *, here: str, **values: Any
) -> str:
    """Return a page as HTML text. `here` is the path to return to after a change of language."""
    return (
        _ENVIRONMENTS[language]
        .get_template(template)
        .render(
            link=partial(_link, settings),
            file=lambda name: _link(settings, assets.path(name)),
            language=language,
            languages=NAMES,
            icon=_link(settings, assets.path(assets.icon)),
            settings=settings,
            offer=settings.offer and settings.offer[language],
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
    redirects_to_app: bool = False,
    redirects_to: str | None = None,
    here: str | None = None,
    **values: Any,
) -> Response:
    """Return an HTML page. `redirects_to` is the site that its form can redirect to.

    `redirects_to_app` means that its form redirects to an OAuth client. Chromium applies `form-action` to every
    redirect after a form, also to those of the client, which are unknown. Such a page therefore has no `form-action`,
    and no scripts.
    """
    services, language = services_of(request), _language(request)
    text = render(
        services.settings,
        services.page_assets,
        language,
        template,
        here=here or _here(request),
        script=not redirects_to_app,
        shows_rewards=getattr(request.state, "shows_rewards", False),
        **values,
    )
    return html_response(
        text,
        language,
        status=status,
        headers=headers,
        redirects_to_app=redirects_to_app,
        redirects_to=redirects_to,
    )


def html_response(
    text: str,
    language: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    redirects_to_app: bool = False,
    redirects_to: str | None = None,
) -> Response:
    """Return a response with a page in a language, and its security headers."""
    policy = NO_SCRIPT if redirects_to_app else f"{POLICY}; form-action 'self'"
    if redirects_to and not redirects_to_app:
        site = urlsplit(redirects_to)
        policy += f" {site.scheme}://{site.netloc}"
    # With `no-referrer` browsers do not send the origin of a form, which `forms.is_from_here` checks.
    security = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    chosen = {"Content-Language": language, "Vary": "Accept, Accept-Language, Cookie"}
    return HTMLResponse(text, status, {**(headers or {}), **chosen, **security})


def message_page(
    request: Request,
    status: int,
    title: str,
    text: str,
    *,
    headers: Mapping[str, str] | None = None,
    signs_in: bool = False,
    template: str = "error.html",
    **values: object,
) -> Response:
    """Return an error page. `title` and `text` are marked by `to_translate`; `signs_in` offers to sign in."""
    return page(
        request,
        template,
        status=status,
        headers=headers,
        here=_path(request),
        title=translate_for(request, title),
        text=translate_for(request, text, **values),
        request_id=request.state.request_id,
        signs_in=signs_in,
        referral_code=getattr(request.state, "referral_code", None),
    )


def accepts_html(request: Request) -> bool:
    """Return whether the client is a browser that shows a page."""
    return "text/html" in request.headers.get("accept", "")


def render_error(request: Request, error: AppError) -> Response | None:
    """Return an error page for a browser, or None for the API and other clients."""
    path: str = request.scope["path"]
    if not accepts_html(request) or path.startswith("/api/"):
        return None
    return message_page(
        request,
        error.status,
        messages.title_of(error),
        messages.text_of(error),
        headers=error.headers,
        signs_in=path.startswith("/oauth/"),
        template=messages.TEMPLATES.get(error.status, "error.html"),
        **error_values(request, error),
    )


def foreign_form(request: Request) -> Response:
    """Return the error page for a form of another site or of another session."""
    return message_page(request, 403, to_translate("Form rejected"), messages.FOREIGN)


def see_other(url: str) -> Response:
    """Redirect with 303, so that the browser does not send a password again (RFC 9700 §4.12)."""
    return RedirectResponse(url, 303)


def _language(request: Request) -> str:
    return services_of(request).page_cookies.language(request)


def _link(settings: Settings, path: str) -> str:
    return settings.base_path + path


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1") if request.method == "GET" else ""
    return local_path(request, f"{_path(request)}?{query}" if query else _path(request))


def _path(request: Request) -> str:
    path = quote(request.scope["path"])
    return link(request, path if request.method == "GET" or path in messages.FORMS else "/")
