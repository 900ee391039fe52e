"""The texts of `embed.js` in each language."""

from collections.abc import Mapping

from goodword.config.settings import Settings
from goodword.languages import LANGUAGES, to_translate
from goodword.users.models import A_FRIEND
from goodword.web.html.rendering import plural_forms, share_text, translate

Text = str | Mapping[str, str]

TEXTS = {
    "title": to_translate("Invite friends"),
    "link": to_translate("Your link"),
    "copy": to_translate("Copy link"),
    "copied": to_translate("Copied"),
    "selected": to_translate("Copy the selected link."),
    "share": to_translate("Share…"),
    "email": to_translate("E-mail"),
    "qr": to_translate("Your link as a QR code"),
    "valid": to_translate("Valid until"),
    "no_code": to_translate("You have no referral link at the moment."),
    "people": to_translate("People you referred"),
    "friend": A_FRIEND,
    "confirmed": to_translate("confirmed"),
    "pending": to_translate("not confirmed yet"),
    "rejected": to_translate("rejected"),
    "nobody": to_translate("Friends appear here as soon as they join with your link."),
    "more": to_translate("Show more"),
    "rewards": to_translate("Your rewards"),
    "available": to_translate("available"),
    "waits": to_translate("pending"),
    "paid": to_translate("paid"),
    "received": to_translate("received"),
    "canceled": to_translate("canceled"),
    "reversed": to_translate("taken back"),
    "until": to_translate("pending until %(time)s"),
    "unconfirmed": to_translate("pending until the referral is confirmed"),
    "unapproved": to_translate("waiting for approval"),
    "coupon": to_translate("Coupon:"),
    "loading": to_translate("Loading…"),
    "failed": to_translate("This could not be loaded. Check your connection, or try again in a minute."),
    "expired": to_translate("Your session has expired. Try again, or reload the page."),
    "retry": to_translate("Try again"),
}


def ngettext(one: str, other: str) -> tuple[str, str]:
    """Mark a text with a count for the message catalogues."""
    return one, other


COUNTS = {
    "joined": ngettext("%(num)s friend joined", "%(num)s friends joined"),
    "points": ngettext("%(num)s point", "%(num)s points"),
    "waiting": ngettext("%(num)s not confirmed yet", "%(num)s not confirmed yet"),
}


def by_language(settings: Settings) -> Mapping[str, Mapping[str, Text]]:
    """Return all texts, with those of the brand. A text with a count has a form for each plural category."""
    return {language: _texts(settings, language) for language in LANGUAGES}


def _texts(settings: Settings, language: str) -> Mapping[str, Text]:
    return {
        **{name: translate(language, text) for name, text in TEXTS.items()},
        **{name: plural_forms(language, one, other) for name, (one, other) in COUNTS.items()},
        "offer": settings.offer[language] if settings.offer else "",
        "said": share_text(settings, language),
    }
