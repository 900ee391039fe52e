"""Errors of the OAuth 2.0 protocol (RFC 6749 §4.1.2.1 and §5.2), and of the registration of clients."""

from goodword.errors import AppError


class OAuthError(AppError):
    """An error code of the protocol, and a description for the developer of the client."""

    status, title = 400, "Bad Request"

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__()


class InvalidClient(OAuthError):
    """The client is unknown or not authenticated (RFC 6749 §5.2: 401 with a challenge)."""

    status, title = 401, "Unauthorized"

    def __init__(self, detail: str = "The client is unknown, or its authentication failed.") -> None:
        super().__init__("invalid_client", detail)
        self.headers["WWW-Authenticate"] = 'Basic realm="goodword"'


class InvalidGrant(OAuthError):
    def __init__(self, detail: str) -> None:
        super().__init__("invalid_grant", detail)


class UnredirectableError(OAuthError):
    """An authorization request whose redirect URI cannot be trusted (RFC 6749 §4.1.2.1)."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_request", detail)


class RedirectableError(OAuthError):
    """An error that the client receives by a redirect."""

    def __init__(self, redirect_uri: str, state: str | None, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.redirect_uri, self.state = redirect_uri, state


class ClientInvalid(ValueError):
    """A client that cannot be registered. The text gives the reason."""
