"""Why a sign-in with an outside identity does not come about."""

from goodword.errors import BadRequest, Conflict, NotFound, Unavailable
from goodword.signup import service as signup


class ProviderNotFound(NotFound):
    code, detail = "provider_not_found", "Nobody can sign in with this provider here."


class StateInvalid(BadRequest):
    code = "state_invalid"
    detail = "This sign-in was not begun in this browser, or more than ten minutes ago. Begin it again."


class SignInFailed(BadRequest):
    """One answer for whatever the provider said that we cannot believe, and for accounts that are closed."""

    code, detail = "sign_in_failed", "The provider's answer does not let you in. Begin again."


class LinkRequired(Conflict):
    code = "link_required"
    detail = (
        "There is an account with this address, and it is not certain that it is yours. Use its password."
    )


class EmailMissing(Conflict):
    code = "email_missing"
    detail = "The provider tells no address of yours that could be used. Register with a password instead."


class CodeNotUsable(signup.CodeNotUsable):
    field = "query.referral_code"


class ProviderUnavailable(Unavailable):
    code, detail = (
        "provider_unavailable",
        "The provider does not answer properly just now. Try again shortly.",
    )
