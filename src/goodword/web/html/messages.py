"""Titles and texts of errors on pages, by error code."""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from goodword.errors import AppError
from goodword.languages import to_translate

FOREIGN = to_translate(
    "This form was not sent from your current page or session. Reload the page and try again."
)
UNREADABLE = to_translate("The request is invalid. Reload the page and try again.")
CHECK_FIELDS = to_translate("Please fix the marked fields.")

FORMS = frozenset(
    {"/sign-in", "/sign-up", "/check-mail", "/forgot-password", "/reset-password", "/verify-email",
     "/confirm-email", "/account/address"}
)  # fmt: skip
"""Paths whose form is posted to the path of the page itself, so that a reload with GET works."""

TITLES = {
    404: to_translate("Page not found"),
    429: to_translate("Too many attempts"),
    500: to_translate("Something went wrong"),
    503: to_translate("Temporarily unavailable"),
}
TEMPLATES = {404: "not_found.html", 429: "too_many_attempts.html", 500: "went_wrong.html"}
"""Error pages that say more than the text of the error."""
TITLE = to_translate("Your request could not be completed")
SIGN_UP_CLOSED = to_translate("Sign-up is closed")

TEXTS = {
    # Accounts
    "email_taken": to_translate("An account with this address already exists."),
    "email_undeliverable": to_translate(
        "This address cannot receive e-mail or is temporary. Use another one."
    ),
    "invalid_credentials": to_translate("The e-mail address or password is wrong."),
    "too_many_attempts": to_translate("Too many wrong passwords. Try again in %(wait)s."),
    "rate_limited": to_translate("Too many attempts in a short time. Try again in %(wait)s."),
    "hashing_busy": to_translate("The service is busy. Try again shortly."),
    "password_too_short": to_translate("Use at least %(least)s characters."),
    "password_too_long": to_translate("Use at most 256 characters."),
    "password_too_common": to_translate("This password is too common and easy to guess. Choose another."),
    "password_too_personal": to_translate(
        "Do not use your address, your name or the name of this service as a password."
    ),
    "code_not_usable": to_translate(
        "This referral code is not valid. Check it, or ask your friend for another."
    ),
    "code_required": to_translate("You need a friend’s referral code to sign up. Ask a friend for one."),
    "sign_up_closed": to_translate("New accounts cannot be created here at the moment."),
    "wrong_password": to_translate("Wrong password."),
    "reauthentication_required": to_translate(
        "For your security, sign out and sign in again, then retry within five minutes."
    ),
    "no_active_code": to_translate("You have no active code. Create one first."),
    "too_many_emails": to_translate("You have reached the e-mail limit. Try again later."),
    # Codes
    "active_code_exists": to_translate("You already have an active code. Reload the page to see it."),
    "too_many_codes": to_translate("An account can have at most 10,000 codes. Contact the operator."),
    "code_taken": to_translate("This code is already taken. Choose another."),
    "code_invalid": to_translate(
        "Use 4 to 32 Latin letters, digits and hyphens, with at least four letters or digits."
    ),
    "code_reserved": to_translate("This word is reserved. Choose another."),
    "code_expired": to_translate("This code has expired."),
    "code_retired": to_translate("This code has been retired and cannot be used again."),
    "code_not_found": to_translate("You have no such code."),
    "max_uses_too_low": to_translate("More friends than this have joined with the code already."),
    "term_missing": to_translate("Choose how long the code is valid."),
    "term_too_short": to_translate("Choose how long the code is valid."),
    "term_too_long": to_translate("Choose how long the code is valid."),
    "token_invalid": to_translate("This link is invalid or has expired. Request a new one."),
    # Programs
    "program_not_found": to_translate("There is no such program."),
    "slug_taken": to_translate("There is a program with this slug. Choose another."),
    "slug_invalid": to_translate(
        "Use 1 to 63 of a–z, 0–9 and hyphens, and no hyphen at the beginning or the end."
    ),
    "slug_reserved": to_translate("This word is reserved. Choose another."),
    "currency_invalid": to_translate("Enter a currency code, such as EUR."),
    "time_zone_invalid": to_translate("Enter a time zone of the IANA database, such as Europe/Berlin."),
    "time_invalid": to_translate("Enter a date and a time."),
    "period_invalid": to_translate("The end must be after the start."),
    "link_target_invalid": to_translate("Enter a whole http or https address, without a user name."),
    "link_target_placeholder": to_translate(
        "The address must contain “code” in braces once, in its path or query, and no other braces."
    ),
    "link_target_missing": to_translate("There is no link target. Enter one, or choose our page."),
    "link_target_insecure": to_translate(
        "The address must begin with https, unless it is in your own network."
    ),
    "link_target_loops": to_translate("This is a referral link of this service, which would lead to itself."),
    # Rewards
    "participant_not_found": to_translate("There is no such person."),
    "event_type_reserved": to_translate(
        "This service records events of this type itself. Enter one that your product reports."
    ),
    "not_a_coupon_rule": to_translate("Only rules of coupons have a pool of coupons."),
    "event_type_invalid": to_translate("Use a–z, 0–9 and underscores. Begin with one of a–z."),
    "string_pattern_mismatch": to_translate("Use a–z, 0–9 and underscores. Begin with one of a–z."),
    "int_parsing": to_translate("Enter a whole number."),
    "amount_ambiguous": to_translate("Fill in exactly one of these."),
    "amount_invalid": to_translate("Enter an amount in the currency, with no more decimals than it has."),
    "percent_invalid": to_translate("Enter a percentage with at most two decimals."),
    "days_invalid": to_translate("Enter a number of days."),
    "tiers_unordered": to_translate("Two rows begin with the same number of referrals."),
    "reward_state": to_translate("The reward is in another state meanwhile, which does not allow this step."),
    "amount_too_large": to_translate("The reward has less left than this amount."),
    # Webhooks
    "webhook_url_invalid": to_translate("Enter a whole http or https address, without a user name."),
    "webhook_url_local": to_translate("Enter the address of a public domain name, such as example.com."),
    "webhook_url_insecure": to_translate("The address must begin with https."),
    "too_many_webhook_endpoints": to_translate("There are 20 endpoints already. Delete one first."),
    "webhook_endpoint_disabled": to_translate("The endpoint is disabled. Enable it first."),
    # Administration
    "not_yourself": to_translate(
        "You cannot disable or erase your own account here. Ask another administrator."
    ),
    "user_erased": to_translate("This user has been erased and cannot be changed."),
    # Google, GitHub and others
    "provider_not_found": to_translate("This sign-in provider is not available here."),
    "provider_unavailable": to_translate(
        "The provider is not responding. Try again shortly, or use a password."
    ),
    "state_invalid": to_translate(
        "This sign-in was started in another browser or more than ten minutes ago. Start again."
    ),
    "sign_in_failed": to_translate("Sign-in with the provider failed. Start again."),
    "next_too_long": to_translate(
        "The app’s request is too long for a sign-in with this provider. Sign in with a password instead."
    ),
    "link_required": to_translate("An account with this address already exists. Sign in with its password."),
    "email_missing": to_translate(
        "The provider did not share an e-mail address with us. Sign up with a password instead."
    ),
    # The shapes of fields
    "missing": to_translate("Please fill this in."),
    "string_type": to_translate("Please fill this in."),
    "email_invalid": to_translate("Enter a valid e-mail address."),
    "string_too_long": to_translate("This is too long."),
    "text_forbidden_character": to_translate("Control characters are not allowed here."),
    "too_long": to_translate("This is too long."),
    "too_short": to_translate("At least one is needed."),
    "int_type": to_translate("Enter a whole number."),
    "greater_than_equal": to_translate("This number is too small."),
    "less_than_equal": to_translate("This number is too large."),
    "text_blank": to_translate("This contains no visible characters. Leave the field empty instead."),
    # The rest
    "host_not_served": to_translate(
        "This service does not answer at this address. If you run it, open the address in PUBLIC_URL, or add this host "
        "name to ALLOWED_HOSTS and restart."
    ),
    "not_found": to_translate("There is no page at this address."),
    "conflict": to_translate("This was changed at the same time. Try again."),
    "body_too_large": to_translate("This is too long."),
}
FIELDS = {
    "email_taken": ("email",),
    "email_undeliverable": ("email",),
    "wrong_password": ("password", "current_password"),
    "code_taken": ("code",),
    "slug_taken": ("slug",),
}
"""The possible fields of errors that do not name a field."""

SERVER_ERROR = to_translate("The service cannot handle your request right now. Try again shortly.")
NOT_POSSIBLE = to_translate("This action is not available now. Go back and reload the page.")


def title_of(error: AppError) -> str:
    return SIGN_UP_CLOSED if error.code == "sign_up_closed" else TITLES.get(error.status, TITLE)


def text_of(error: AppError) -> str:
    return TEXTS.get(error.code) or (SERVER_ERROR if error.status >= 500 else NOT_POSSIBLE)


def field_errors(error: AppError | ValidationError, fields: Iterable[str]) -> Mapping[str, str]:
    """Return the texts of the errors of `fields`, in their order."""
    if isinstance(error, ValidationError):
        codes = [(str((*one["loc"], "")[0]), one["type"]) for one in error.errors(include_input=False)]
    elif error.code in FIELDS:
        codes = [(name, error.code) for name in FIELDS[error.code]]
    else:
        codes = [(one["field"].rpartition(".")[2], one["code"]) for one in error.errors]
    texts = {name: TEXTS.get(code, NOT_POSSIBLE) for name, code in reversed(codes)}
    return {name: texts[name] for name in fields if name in texts}
