"""The composition root: read it and you know the parts."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from goodword import __version__, health, retention
from goodword import __version__, migrations, retention, routes
from goodword.account import (
    emails,
    erasure_cleanup,
)
from goodword.admin import api as admin
from goodword.admin.pages import access, audit, codes as admin_codes, jobs, referral_tree, statistics, users
from goodword.cache.lookup_cache import Cache
from goodword.cache.memory import Board, Memory
from goodword.clock import utc_now
from goodword.config import rate_limits
from goodword.config.loading import load, with_own_secret
from goodword.config.settings import Settings
from goodword.crypto import subkey
from goodword.http_client import Outside
from goodword.invitations import (
    emails as to_others,
    service as invitations,
)
from goodword.jobs.worker import CONCURRENCY, Context, Handler, Worker
from goodword.logs import set_up_logs
from goodword.mail import notifications, quotas, unsubscribe
from goodword.oauth import (
    clients,
    errors as oauth_errors,
    scopes,
)
from goodword.oauth.tokens import ServerTokens
from goodword.providers import email_checks, jobs as asking
from goodword.rate_limits import limiter, middleware
from goodword.rate_limits.counters import Counts
from goodword.referrals import api as referrals, pages as people
from goodword.sessions import api as sessions, lockout_notice, pages as sign_in, throttle
from goodword.sessions import keys, lockout_notice, throttle
from goodword.sessions.auth import REMEMBERED, Live
from goodword.sessions.cookies import Cookies
from goodword.sessions.tokens import AccessTokens, RefreshTokens
from goodword.signup import landing_page
from goodword.social.clients import Clients as SocialClients
from goodword.social.providers import Provider, configured
from goodword.startup import make_ready, open_database, opened
from goodword.users.models import Purpose
from goodword.users.passwords import Passwords
from goodword.web import api_docs, openapi, problems
from goodword.web.cors import Cors
from goodword.web.guard import Guard, hosts_of
from goodword.web.html import rendering
from goodword.web.paging import Cursors
from goodword.web.proxies import Proxies
from goodword.web.request_context import Edge

NODE = "_GOODWORD_NODE"
"""The variable that tells each process of `goodword serve` how many they are, and where their common board is."""


HANDLERS: Mapping[str, Handler] = {
    Purpose.VERIFY_EMAIL: emails.verify_email,
    Purpose.RESET_PASSWORD: emails.reset_password,
    Purpose.CHANGE_EMAIL: emails.change_email,
    notifications.KIND: emails.notice,
    email_checks.CHECK: asking.check_email,
    email_checks.ENRICH: asking.enrich_profile,
    throttle.LOCKED: lockout_notice.tell,
    erasure_cleanup.FORGET: erasure_cleanup.forget,
    notifications.FRIEND_JOINED: to_others.decide_friend_joined,
    invitations.INVITATION: to_others.decide_invitation,
    invitations.CODE_LETTER: to_others.decide_code_letter,
    to_others.SEND: to_others.send,
    **retention.HANDLERS,
}
"""What is done with the jobs of each kind."""

LANES = dict.fromkeys((*Purpose, notifications.KIND, to_others.SEND), "mail")
"""What waits for the same server stands in one lane."""


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    work: bool = False,
    providers: Sequence[Provider] | None = None,
    board: Path | None = None,
    processes: int = 1,
    guard: Mapping[str, Any] | None = None,
) -> FastAPI:
    """The service, ready to be served; it connects to nothing before its lifespan begins.

    With `work` it does the jobs as well, which otherwise wait for `goodword worker`. People sign in with the
    `providers`: those of the settings, unless others are given. The `processes` of one node share a `board`.
    `guard` are other limits for `Guard` than its own.
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
        redirect_slashes=False,  # it would send people to whatever the Host header says
        openapi_url="/openapi.json" if settings.docs_shown else None,
        generate_unique_id_function=lambda route: route.name,
    )
    state = app.state
    state.settings = settings
    state.clock = clock
    state.work = work
    state.board = Board(board)
    state.processes = processes
    state.token_secret = subkey(secret, emails.TOKENS)
    state.code_secret = subkey(secret, "referral code strings")
    state.idempotency_secret = subkey(secret, "idempotency fingerprints")
    state.cursors = Cursors(subkey(secret, "cursors"))
    https = settings.public_url.startswith("https://")
    state.cookies = Cookies(subkey(secret, "page cookies"), https=https)
    state.failures = throttle.Failures(subkey(secret, throttle.KEY), counted=settings.rate_limits == "on")
    state.social = SocialClients(
        configured(settings) if providers is None else providers,
        key=subkey(secret, "sign-ins under way"),
        public_url=settings.public_url,
    )
    limited = settings.rate_limits == "on"
    state.limiter = limiter.Limiter(
        rate_limits.parse(settings.limits),
        key=subkey(secret, "rate limits"),
        clock=clock,
        counts=Counts(board),
        redis_url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        on=limited,
    )
    state.letter_limits = invitations.Limits(subkey(secret, quotas.KEY), on=limited)
    state.refusals_key = subkey(secret, unsubscribe.KEY)
    state.renderings = landing_page.Renderings(state)
    state.refresh_tokens = RefreshTokens(subkey(secret, "refresh tokens"))
    state.oauth_key = subkey(secret, clients.PURPOSE)
    for_docs = clients.documentation(settings.public_url) if settings.docs_shown else None
    state.oauth_clients = clients.Clients(state.oauth_key, built_in=for_docs)

    respond = problems.install(app, oauth_errors.form, rendering.as_page)
    # From the inside out: refusals need the headers of CORS, and all answers those of the edge.
    app.add_middleware(middleware.CountAll, limiter=state.limiter, refuse=respond)
    app.add_middleware(Guard, respond=respond, hosts=hosts_of(settings), **(guard or {}))
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(Edge, https=https, log_reads=settings.reads_logged)
    if settings.trusted_proxies:
        # Outermost: all that counts by address must see the client's. Without trust, these headers are noise.
        app.add_middleware(Proxies, trusted=settings.trusted_proxies)
    app.add_exception_handler(oauth_errors.OAuthError, oauth_errors.answer)
    routes.install(app)
    if settings.docs_shown:
        openapi.install(app, scopes=scopes.SCOPES)
        api_docs.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    settings: Settings = state.settings
    state.database, state.cache = open_database(settings, state.board, state.clock)
    state.live_sessions = Memory[Live](state.board, state.clock, seconds=REMEMBERED)
    state.context = Context(state.database, settings, state.clock, Outside())
    state.worker = Worker(
        state.context, HANDLERS, recurring=retention.RECURRING, lanes=LANES, chores=retention.CHORES
    )
    state.passwords = Passwords(
        cost=settings.password_hash, min_length=settings.password_min_length, processes=state.processes
    )
    try:
        state.keys = await make_ready(state.database, settings, state.clock)
        state.access_tokens = AccessTokens(
            state.keys, issuer=settings.public_url, lifetime=settings.access_token_lifetime
        )
        state.server_tokens = ServerTokens(
            state.keys, issuer=settings.public_url, lifetime=settings.access_token_lifetime
        )
        watching = asyncio.create_task(state.keys.watch())
        async with state.cache.following(), state.worker.running() if state.work else nullcontext():
            yield
        watching.cancel()
    finally:
        state.passwords.close()
        await state.context.outside.close()
        await state.limiter.close()
        await state.cache.close()
        await state.database.close()


def from_environment() -> FastAPI:
    """The service as `goodword serve` starts it, in each of its processes."""
    settings = with_own_secret(load())
    set_up_logs(settings.log_format)
    number, _, board = os.environ.get(NODE, "1").partition(" ")
    return create_app(
        settings, work=settings.embedded, board=Path(board) if board else None, processes=int(number)
    )


async def work(settings: Settings, *, concurrency: int = CONCURRENCY) -> None:
    """Do jobs until SIGTERM or SIGINT comes, and then finish those in hand."""
    outside, told = Outside(), asyncio.Event()
    async with opened(settings) as database:
        worker = Worker(
            Context(database, settings, utc_now, outside),
            HANDLERS,
            recurring=retention.RECURRING,
            lanes=LANES,
            chores=retention.CHORES,
            concurrency=concurrency,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        try:
            async with worker.running():
                await told.wait()
        finally:
            await outside.close()
