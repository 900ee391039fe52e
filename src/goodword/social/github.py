"""Sign-in with GitHub: plain OAuth 2.0, and its API says who it is."""

from datetime import datetime

from goodword.social import claims as people
from goodword.social.claims import ProviderIdentity
from goodword.social.flow import Flow
from goodword.social.http_client import Conversation, Nonsense
from goodword.social.providers import GitHubProvider


class GitHub:
    def __init__(self, provider: GitHubProvider) -> None:
        self.provider = provider

    async def authorization_url(
        self, talk: Conversation, flow: Flow, *, redirect_uri: str, now: datetime
    ) -> str:
        del now  # nothing of GitHub is looked up, so nothing grows old
        return talk.authorization_url(
            f"{self.provider.site}/login/oauth/authorize",
            redirect_uri=redirect_uri,
            state=flow.state,
            code_verifier=flow.verifier,
        )

    async def identify(
        self,
        talk: Conversation,
        flow: Flow,
        *,
        code: str,
        issuer: str | None,
        redirect_uri: str,
        now: datetime,
    ) -> ProviderIdentity:
        """Whoever the code stands for, by their number: names are given up, and taken by others.

        Raises `SignInFailed`.
        """
        del issuer, now  # GitHub has an address of its own to come back to, so no mix-up (RFC 9700 §4.4.2)
        tokens = await talk.exchange(
            f"{self.provider.site}/login/oauth/access_token",
            code=code,
            verifier=flow.verifier,
            redirect_uri=redirect_uri,
            auth="client_secret_post",
        )
        token = str(tokens.get("access_token"))
        user = await talk.get(f"{self.provider.api}/user", token=token)
        if not isinstance(user, dict) or type(user.get("id")) is not int:
            raise Nonsense("no user")
        email = _primary(await talk.get(f"{self.provider.api}/user/emails", token=token))
        claims = {"sub": str(user["id"]), "name": user.get("name"), "email": email, "email_verified": True}
        return people.from_claims(self.provider.realm, claims)


def _primary(emails: object) -> str | None:
    """The primary address if it is verified. The one in the profile is whatever somebody wrote there."""
    if not isinstance(emails, list):
        raise Nonsense("no addresses")
    for one in emails:
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
            email = one.get("email")
            return email if isinstance(email, str) else None
    return None
