"""Idempotent writes: a request repeated with its `Idempotency-Key` gets the stored response.

Follows draft-ietf-httpapi-idempotency-key-header. The response is stored in the transaction of the write, so a
failed attempt does not use the key.
"""

import hmac
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import bindparam, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent, is_lock_timeout
from goodword.errors import AppError, Conflict, Unprocessable, ValidationFailed
from goodword.services import services_of
from goodword.web.models import IdempotencyKey

KEPT = timedelta(hours=24)

Prepared = TypeVar("Prepared")


class KeyReused(Unprocessable):
    code, field = "idempotency_key_reused", "header.Idempotency-Key"
    detail = "This key was used for another request. Use a new key."


class KeyInUse(Conflict):
    code, detail = "idempotency_key_in_use", "A request with this key is running. Try again shortly."


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a write: a model, the path of the new resource, and the user it concerns."""

    content: BaseModel
    location: str | None = None
    user_id: uuid.UUID | None = None
    status: int = 201
    kept: BaseModel | None = None
    """What is stored instead of the content, if that is about several people: `restore` makes the content of it."""


async def _nothing() -> Any:
    """Prepare nothing."""


Restore = Callable[[str], Awaitable[BaseModel]]


class IdempotentWrite:
    """Runs a write once for each key of a caller, or without a check if there is no key."""

    def __init__(self, request: Request, key: str | None) -> None:
        services = services_of(request)
        self._database, self._clock = services.database, services.clock
        self._secret = services.keys.idempotency
        self._route = f"{request.method} {request.scope['route'].path}"
        parameters = sorted(request.path_params.items())
        self._path = [str(value).encode("utf-8", "surrogatepass") for _, value in parameters]
        self._base_path = services.settings.base_path
        self._key = key

    async def run(
        self,
        session: AsyncSession,
        body: BaseModel,
        *,
        caller: str,
        effect: Callable[[Prepared], Awaitable[Answer]],
        prepare: Callable[[], Awaitable[Prepared]] = _nothing,
        restore: Restore | None = None,
    ) -> Response:
        """Call `prepare` before the transaction (slow work, early checks), then `effect` inside it.

        Raises `KeyReused` for another body or another path of the route, and `KeyInUse` if a concurrent request holds the key for too long.
        """
        if self._key is None:
            return self._response(await effect(await prepare()))
        slot = {"caller": caller, "route": self._route, "key": self._key}
        fingerprint = hmac_of(self._secret, body.model_dump_json(exclude_unset=True).encode(), *self._path)
        if kept := await self._kept(session, slot, fingerprint, restore):
            return kept
        try:
            prepared = await prepare()
        except AppError:
            # A concurrent request with this key may have caused the error: return its response.
            if kept := await self._kept(session, slot, fingerprint, restore):
                return kept
            raise
        row = await self._claim(session, slot, fingerprint)
        if row is None:  # a concurrent request has finished
            kept = await self._kept(session, slot, fingerprint, restore)
            if kept is None:
                raise KeyInUse
            return kept
        answer = await effect(prepared)
        row.status, row.location, row.user_id = answer.status, answer.location, answer.user_id
        row.body = (answer.kept or answer.content).model_dump_json()
        await session.flush()
        return self._response(answer)

    async def _claim(
        self, session: AsyncSession, slot: dict[str, str], fingerprint: bytes
    ) -> IdempotencyKey | None:
        now = self._clock()
        try:
            await session.execute(
                delete(IdempotencyKey).filter_by(**slot).where(IdempotencyKey.created_at <= now - KEPT)
            )
            return await insert_if_absent(
                session, IdempotencyKey, **slot, fingerprint=fingerprint, created_at=now
            )
        except DBAPIError as error:
            if is_lock_timeout(error):
                raise KeyInUse from None
            raise

    async def _kept(
        self,
        session: AsyncSession,
        slot: dict[str, str],
        fingerprint: bytes,
        restore: Restore | None,
    ) -> Response | None:
        row = await self._database.row(_KEPT, **slot, since=self._clock() - KEPT)
        if row is None:
            return None
        if not hmac.compare_digest(row.fingerprint, fingerprint):
            raise KeyReused
        # What a read finds may still wait for a synchronous standby, and is lost if the primary fails. The commit of
        # a transaction that has locked a row waits for the standby as well.
        await session.execute(select(IdempotencyKey.id).filter_by(**slot).with_for_update(read=True))
        headers = self._headers(row.location) | {"Idempotency-Replayed": "true"}
        content = row.body if restore is None else (await restore(row.body)).model_dump_json()
        return Response(content, row.status, headers, media_type="application/json")

    def _response(self, answer: Answer) -> Response:
        content = answer.content.model_dump_json()
        return Response(content, answer.status, self._headers(answer.location), media_type="application/json")

    def _headers(self, location: str | None) -> dict[str, str]:
        return {"Location": self._base_path + location} if location else {}


async def get_once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="1–255 visible ASCII characters of your choice. A repeated request with the same key is "
            "not executed again for 24 hours: it gets the stored response (`Idempotency-Replayed: true`).",
        ),
    ] = None,
) -> IdempotentWrite:
    given = request.headers.getlist("idempotency-key")
    if len(given) > 1 or not all(re.fullmatch(r"[\x21-\x7e]{1,255}", key) for key in given):
        message = "Send one key of 1 to 255 visible ASCII characters."
        raise ValidationFailed(
            [{"field": "header.Idempotency-Key", "code": "key_invalid", "message": message}]
        )
    return IdempotentWrite(request, idempotency_key)


IdempotentWriteDependency = Annotated[IdempotentWrite, Depends(get_once)]

_KEPT = select(
    IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.location, IdempotencyKey.body
).where(
    IdempotencyKey.caller == bindparam("caller"),
    IdempotencyKey.route == bindparam("route"),
    IdempotencyKey.key == bindparam("key"),
    IdempotencyKey.created_at > bindparam("since", type_=IdempotencyKey.created_at.type),
)
