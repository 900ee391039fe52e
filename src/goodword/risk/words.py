"""Risk signals in plain words."""

from collections.abc import Mapping

from goodword.languages import to_translate
from goodword.risk.models import SignalKind

TEXTS: Mapping[SignalKind, str] = {
    SignalKind.SAME_NETWORK: to_translate("The referrer used the same network within a day."),
    SignalKind.SAME_DEVICE: to_translate(
        "The referrer used the same kind of browser or device within a day."
    ),
    SignalKind.SAME_MAILBOX: to_translate(
        "The address differs from that of another person by a plus-tag or dots only."
    ),
    SignalKind.DISPOSABLE_ADDRESS: to_translate("The e-mail address is disposable."),
    SignalKind.VELOCITY: to_translate("%(number)s people signed up with this code within an hour."),
    SignalKind.CIRCLE_ATTEMPT: to_translate(
        "A person who referred the new user, directly or not, tried to join with the new user's code."
    ),
    SignalKind.REGISTERED_BEFORE: to_translate(
        "The same person was referred in this program before, and was erased."
    ),
}
"""By kind. `number` is the only value in them."""


def text_of(kind: str, number: int | None) -> str:
    """Return the text of a signal in English."""
    return TEXTS[SignalKind(kind)] % {"number": number}
