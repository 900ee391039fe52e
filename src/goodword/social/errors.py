"""Errors of the sign-in with a provider."""

from goodword.errors import BadRequest, Conflict, NotFound, Unavailable
from goodword.signup import service as signup


class ProviderNotFound(NotFound):
    code, detail = "provider_not_found", "This provider is not configured."


class StateInvalid(BadRequest):
    code = "state_invalid"
    detail = "This sign-in was not started in this browser, or more than ten minutes ago. Start again."


class NextTooLong(BadRequest):
    code = "next_too_long"
    detail = "`next` is too long for a sign-in with a provider. Sign in with a password instead."


class SignInFailed(BadRequest):
    """The response of the provider is not valid, or the account is disabled."""

    code, detail = "sign_in_failed", "The sign-in with the provider failed. Start again."


class LinkRequired(Conflict):
    code = "link_required"
    detail = "An account with this address exists and cannot be linked. Sign in with its password."


class EmailMissing(Conflict):
    code = "email_missing"
    detail = "The provider returned no valid e-mail address. Register with a password instead."


class CodeNotUsable(signup.CodeNotUsable):
    field = "query.referral_code"


class CodeRequired(signup.CodeRequired):
    field = "query.referral_code"


class ProviderUnavailable(Unavailable):
    code, detail = "provider_unavailable", "The provider is unavailable. Try again shortly."
