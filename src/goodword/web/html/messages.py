"""Titles and texts of errors on pages, by error code."""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from goodword.errors import AppError
from goodword.languages import to_translate

FOREIGN = to_translate(
    "This form did not come from a page of this service, or is not yours. Open the page again."
)
UNREADABLE = to_translate("What your browser sent cannot be read. Open the page again.")
CHECK_FIELDS = to_translate("Please look at what is marked below.")

FORMS = frozenset(
    {"/sign-in", "/sign-up", "/check-mail", "/forgot-password", "/reset-password", "/verify-email",
     "/confirm-email", "/account/address"}
)  # fmt: skip
"""Paths whose form is posted to the path of the page itself, so that a reload with GET works."""

TITLES = {
    404: to_translate("Nothing here"),
    429: to_translate("Too often"),
    500: to_translate("A fault of ours"),
    503: to_translate("Not just now"),
}
TITLE = to_translate("This did not work")

TEXTS = {
    # Accounts
    "email_taken": to_translate("There is an account with this address already."),
    "email_undeliverable": to_translate(
        "Mail to this address does not arrive, or not for long. Give another one."
    ),
    "invalid_credentials": to_translate("The e-mail address or the password is wrong."),
    "too_many_attempts": to_translate("Too many wrong passwords. Wait a little before the next try."),
    "rate_limited": to_translate("You did this too often in a short time. Wait a little and try again."),
    "hashing_busy": to_translate("Too many people are signing in at this moment. Try again shortly."),
    "password_too_short": to_translate("A password has %(least)s characters or more."),
    "password_too_long": to_translate("A password may have 256 characters at most."),
    "password_too_common": to_translate(
        "Many people use this password, or one like it: it would be guessed soon. Choose another."
    ),
    "password_too_personal": to_translate(
        "Your address, your name and the name of this service are no passwords."
    ),
    "code_not_usable": to_translate(
        "This referral code cannot be used. Ask your friend for another, or join without one."
    ),
    "wrong_password": to_translate("This password is wrong."),
    "reauthentication_required": to_translate(
        "For this, sign out and in again: it takes a sign-in of the last five minutes."
    ),
    "no_active_code": to_translate("You have no code that works now. Make one first."),
    "too_many_emails": to_translate("As many letters went out as you may ask for. Try again later."),
    # Codes
    "active_code_exists": to_translate("You have a code that works already. Look at it first."),
    "code_taken": to_translate("This code was given out before. Choose another."),
    "code_invalid": to_translate(
        "A code has 4 to 32 Latin letters, digits and hyphens, at least four of them not hyphens."
    ),
    "code_reserved": to_translate("This word is part of our addresses. Choose another."),
    "code_expired": to_translate("This code is past its term."),
    "code_retired": to_translate("This code was taken out of force for good."),
    "code_not_found": to_translate("You have no such code, or no longer."),
    "term_missing": to_translate("Choose how long the code works."),
    "term_too_short": to_translate("Choose how long the code works."),
    "term_too_long": to_translate("Choose how long the code works."),
    "token_invalid": to_translate("This link is not valid, or no longer. Ask for a new one."),
    # Administration
    "not_yourself": to_translate("You cannot disable or erase yourself here. Ask another administrator."),
    "user_erased": to_translate("This person was erased. Nothing is left to change."),
    # Google, GitHub and others
    "provider_not_found": to_translate("Nobody can sign in with this provider here."),
    "provider_unavailable": to_translate(
        "The provider does not answer properly just now. Try again shortly, or use a password."
    ),
    "state_invalid": to_translate(
        "This sign-in was not begun in this browser, or more than ten minutes ago. Begin it again."
    ),
    "sign_in_failed": to_translate("The provider’s answer does not let you in. Begin again."),
    "link_required": to_translate(
        "There is an account with this address, and it is not certain that it is yours. Use its password."
    ),
    "email_missing": to_translate(
        "The provider tells no address of yours that could be used. Sign up with a password instead."
    ),
    # The shapes of fields
    "missing": to_translate("Please fill this in."),
    "email_invalid": to_translate("This is not an e-mail address that can get mail."),
    "string_too_long": to_translate("This is too long."),
    "text_forbidden_character": to_translate("Control characters are not allowed here."),
    "int_type": to_translate("Give a whole number in digits."),
    "greater_than_equal": to_translate("This is too small a number."),
    "less_than_equal": to_translate("This is too large a number."),
    "text_blank": to_translate("There is nothing to see in this. Leave the field empty instead."),
    # The rest
    "not_found": to_translate("There is nothing at this address."),
    "conflict": to_translate("Somebody changed this at the same moment. Try again."),
    "body_too_large": to_translate("This is too long."),
}
FIELDS = {
    "email_taken": ("email",),
    "email_undeliverable": ("email",),
    "wrong_password": ("password", "current_password"),
    "code_taken": ("code",),
}
"""The possible fields of errors that do not name a field."""

SERVER_ERROR = to_translate("The service cannot do this just now. Try again shortly.")
NOT_POSSIBLE = to_translate("It cannot be done this way. Go back and open the page again.")


def title_of(error: AppError) -> str:
    return TITLES.get(error.status, TITLE)


def text_of(error: AppError) -> str:
    return TEXTS.get(error.code) or (SERVER_ERROR if error.status >= 500 else NOT_POSSIBLE)


def field_errors(error: AppError | ValidationError, fields: Iterable[str]) -> Mapping[str, str]:
    """Return the texts of the errors of `fields`, in their order."""
    if isinstance(error, ValidationError):
        codes = [(str(one["loc"][0]), one["type"]) for one in error.errors(include_input=False)]
    elif error.code in FIELDS:
        codes = [(name, error.code) for name in FIELDS[error.code]]
    else:
        codes = [(one["field"].rpartition(".")[2], one["code"]) for one in error.errors]
    texts = {name: TEXTS.get(code, NOT_POSSIBLE) for name, code in reversed(codes)}
    return {name: texts[name] for name in fields if name in texts}
