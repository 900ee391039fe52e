"""The composition root: read it and you know the parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI

from goodword import __version__, errors, health, migrations
from goodword.account import api as account
from goodword.cache import Cache
from goodword.codes import api as codes
from goodword.crypto import WrongSecret, subkey
from goodword.db import Database
from goodword.docs import openapi, pages
from goodword.http import Edge, utc_now
from goodword.oauth import api as oauth
from goodword.paging import Cursors
from goodword.referrals import api as referrals
from goodword.sessions import api as sessions, keys
from goodword.sessions.tokens import AccessTokens, RefreshTokens
from goodword.settings import Settings, SettingsError, load, with_own_secret
from goodword.signup import api as signup
from goodword.telemetry import set_up_logs
from goodword.users.passwords import Passwords


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The service, ready to be served; it connects to nothing before its lifespan begins.

    Raises `SettingsError` when there is no secret key, and at its start when the schema is not current or
    the secret is not the one that the database was made with.
    """
    secret = settings.secret
    app = FastAPI(
        title="Goodword",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs_shown else None,
        generate_unique_id_function=lambda route: route.name,
    )
    state = app.state
    state.settings = settings
    state.clock = clock
    state.code_secret = subkey(secret, "referral code strings")
    state.idempotency_secret = subkey(secret, "idempotency fingerprints")
    state.cursors = Cursors(subkey(secret, "cursors"))
    state.refresh_tokens = RefreshTokens(subkey(secret, "refresh tokens"))

    app.add_middleware(Edge, https=settings.public_url.startswith("https://"))
    errors.install(app)
    app.add_exception_handler(oauth.OAuthError, oauth.answer_error)
    for router in (
        signup.router,
        sessions.router,
        oauth.router,
        codes.mine,
        codes.anyones,
        referrals.router,
        account.router,
        health.router,
    ):
        app.include_router(router)
    if settings.docs_shown:
        openapi.install(app)
        pages.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    settings: Settings = state.settings
    state.database = Database(settings.database)
    state.cache = Cache(settings.redis_url.get_secret_value() if settings.redis_url else None)
    state.passwords = Passwords(cost=settings.password_hash, min_length=settings.password_min_length)
    try:
        if not await migrations.is_current(state.database):
            raise SettingsError(migrations.NOT_CURRENT)
        signing = await open_keys(state.database, settings.secret)
        state.access_tokens = AccessTokens(
            signing, issuer=settings.public_url, lifetime=settings.access_token_lifetime
        )
        yield
    finally:
        state.passwords.close()
        await state.cache.close()
        await state.database.close()


async def open_keys(database: Database, secret: bytes) -> keys.SigningKeys:
    """The signing keys of this database. Raises `SettingsError` when it was made with another secret."""
    try:
        return await keys.load(database, subkey(secret, "signing keys"), utc_now())
    except WrongSecret:
        raise SettingsError(
            "GOODWORD_SECRET_KEY is not the secret that this database was made with."
        ) from None


def from_environment() -> FastAPI:
    """The service as `goodword serve` starts it, in each of its processes."""
    settings = with_own_secret(load())
    set_up_logs(settings.log_format)
    return create_app(settings)
