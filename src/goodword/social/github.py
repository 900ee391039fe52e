"""Sign-in with GitHub: OAuth 2.0, and the GitHub API for the identity."""

from datetime import datetime

from goodword.social import claims as identities
from goodword.social.claims import ProviderIdentity
from goodword.social.flow import Flow
from goodword.social.http_client import InvalidResponse, ProviderRequests
from goodword.social.providers import GitHubProvider


class GitHub:
    def __init__(self, provider: GitHubProvider) -> None:
        self.provider = provider

    async def authorization_url(self, requests: ProviderRequests, flow: Flow, *, now: datetime) -> str:
        del now  # needed by `OpenID` only
        endpoint = f"{self.provider.site}/login/oauth/authorize"
        return requests.authorization_url(endpoint, state=flow.state, code_verifier=flow.verifier)

    async def identify(
        self, requests: ProviderRequests, flow: Flow, *, code: str, issuer: str | None, now: datetime
    ) -> ProviderIdentity:
        """Return the owner of the code, identified by number, since names change owners. Raises `SignInFailed`."""
        del issuer, now  # the redirect URI of each provider is different: no mix-up (RFC 9700 §4.4.2)
        endpoint, auth = f"{self.provider.site}/login/oauth/access_token", "client_secret_post"
        tokens = await requests.exchange(endpoint, code=code, verifier=flow.verifier, auth=auth)
        token = str(tokens.get("access_token"))
        user = await requests.get(f"{self.provider.api}/user", token=token)
        if not isinstance(user, dict) or type(user.get("id")) is not int:
            raise InvalidResponse("no user")
        email = _primary(await requests.get(f"{self.provider.api}/user/emails", token=token))
        claims = {"sub": str(user["id"]), "name": user.get("name"), "email": email, "email_verified": True}
        return identities.from_claims(self.provider.realm, claims)


def _primary(emails: object) -> str | None:
    """Return the primary address if it is verified. The address in the profile is not checked by GitHub."""
    if not isinstance(emails, list):
        raise InvalidResponse("no addresses")
    for one in emails:
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
            email = one.get("email")
            return email if isinstance(email, str) else None
    return None
