"""The lists of administrators: their statements, columns and searches."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword.admin import service
from goodword.admin.listing import Column, Condition, Table
from goodword.admin.statistics import EXPIRES_SOON
from goodword.audit.models import AuditEvent
from goodword.codes import code_format
from goodword.codes.models import CodeStatus, ReferralCode, has_status
from goodword.jobs.models import Job
from goodword.languages import to_translate
from goodword.oauth.models import OAuthClient, OAuthGrant
from goodword.programs.models import Program
from goodword.referrals.models import Referral
from goodword.users.models import User, handle_of

ENDING = "ending"
"""A filter beside the statuses of codes: active codes that expire within a week."""
_Friend, _Referrer, _Actor, _Person = (aliased(User) for _ in range(4))


def name_of(user: User | None) -> str:
    """Return the full name of a user, else the address or external id. Empty for none and after an erasure."""
    if user is None:
        return ""
    return " ".join(filter(None, (user.first_name, user.last_name))) or user.handle or ""


def target(row: Any) -> str:
    """Return the name of what an event is about, of its owner, or else its id."""
    event = row.AuditEvent
    names = filter(None, (row.code, row.app, row.program, name_of(row[2])))
    return ", ".join(names) or str(event.subject_id or event.person_id or "")


def details(event: AuditEvent) -> str:
    """Return the details of an event as `name=value` pairs, separated by blanks."""
    return " ".join(f"{name}={value}" for name, value in json.loads(event.details).items())


def _name(user: Any) -> ColumnElement[Any]:
    full = func.trim(func.coalesce(user.first_name, "") + " " + func.coalesce(user.last_name, ""))
    return func.lower(func.coalesce(func.nullif(full, ""), handle_of(user), ""))


_REFERRALS = (
    select(func.count(Referral.id)).where(Referral.referrer_id == User.id).correlate(User).scalar_subquery()
)
USERS = Table(
    "users",
    select(User, _REFERRALS.label("referrals"), User.id.label("row_id")),
    User.id,
    (
        Column("name", to_translate("Name"), lambda row: name_of(row.User), _name(User)),
        Column(
            "email",
            to_translate("E-mail"),
            lambda row: row.User.email or row.User.reported_email,
            func.coalesce(User.email_key, User.reported_email_key, ""),
        ),
        Column("status", to_translate("Status"), lambda row: row.User.status, User.status),
        Column("referrals", to_translate("Referrals"), lambda row: row.referrals, _REFERRALS, is_number=True),
        Column("joined", to_translate("Joined"), lambda row: row.User.created_at, User.id),
        Column("id", to_translate("ID"), lambda row: row.User.id, is_shown=False),
    ),
    default="-joined",
)
REFERRALS = Table(
    "referrals",
    select(Referral, _Friend, _Referrer, ReferralCode.code, Referral.id.label("row_id"))
    .join(_Friend, _Friend.id == Referral.referee_id)
    .join(_Referrer, _Referrer.id == Referral.referrer_id)
    .join(ReferralCode, ReferralCode.id == Referral.code_id),
    Referral.id,
    (
        Column("friend", to_translate("Person"), lambda row: name_of(row[1]), _name(_Friend)),
        Column("referrer", to_translate("Referred by"), lambda row: name_of(row[2]), _name(_Referrer)),
        Column("code", to_translate("Code"), lambda row: row.code, func.coalesce(ReferralCode.code, "")),
        Column("status", to_translate("Status"), lambda row: row.Referral.status, Referral.status),
        Column("joined", to_translate("Joined"), lambda row: row.Referral.created_at, Referral.id),
        Column("reason", to_translate("Reason"), lambda row: row.Referral.reason, is_shown=False),
        Column("id", to_translate("ID"), lambda row: row.Referral.id, is_shown=False),
    ),
    default="-joined",
)
PROGRAMS = Table(
    "programs",
    select(Program, Program.id.label("row_id")),
    Program.id,
    (
        Column("name", to_translate("Program"), lambda row: row.Program.name, func.lower(Program.name)),
        Column("slug", to_translate("Slug"), lambda row: row.Program.slug, Program.slug),
        Column("status", to_translate("Status"), lambda row: row.Program.status, Program.status),
        Column("starts", to_translate("Starts"), lambda row: row.Program.starts_at),
        Column("ends", to_translate("Ends"), lambda row: row.Program.ends_at),
        Column("created", to_translate("Created"), lambda row: row.Program.created_at, Program.id),
    ),
    default="-created",
)
DEAD_JOBS = Table(
    "jobs",
    select(Job, User, Job.id.label("row_id")).outerjoin(User, User.id == Job.user_id),
    Job.id,
    (
        Column("kind", to_translate("Kind"), lambda row: row.Job.kind, Job.kind),
        Column("reason", to_translate("Reason"), lambda row: row.Job.error, func.coalesce(Job.error, "")),
        Column(
            "attempts", to_translate("Attempts"), lambda row: row.Job.attempts, Job.attempts, is_number=True
        ),
        Column("user", to_translate("User"), lambda row: name_of(row.User), _name(User)),
        Column("failed", to_translate("Failed"), lambda row: row.Job.finished_at, Job.finished_at),
    ),
    default="-failed",
    time=Job.finished_at,
)
_GRANTS = (
    select(func.count(OAuthGrant.id))
    .where(OAuthGrant.client_id == OAuthClient.id)
    .correlate(OAuthClient)
    .scalar_subquery()
)
APPS = Table(
    "apps",
    select(OAuthClient, _GRANTS.label("users"), OAuthClient.id.label("row_id")),
    OAuthClient.id,
    (
        Column("name", to_translate("App"), lambda row: row.OAuthClient.name, func.lower(OAuthClient.name)),
        Column("client_id", to_translate("Client ID"), lambda row: row.OAuthClient.client_id),
        Column("scope", to_translate("Scopes"), lambda row: row.OAuthClient.scope, is_shown=False),
        Column("users", to_translate("Users"), lambda row: row.users, _GRANTS, is_number=True),
        Column(
            "status",
            to_translate("Status"),
            lambda row: "disabled" if row.OAuthClient.disabled_at else "active",
            case((OAuthClient.disabled_at.is_(None), "active"), else_="disabled"),
        ),
        Column("created", to_translate("Registered"), lambda row: row.OAuthClient.created_at, OAuthClient.id),
    ),
    default="-created",
)
AUDIT = Table(
    "audit",
    select(
        AuditEvent,
        _Actor,
        _Person,
        ReferralCode.code,
        OAuthClient.name.label("app"),
        Program.name.label("program"),
        AuditEvent.id.label("row_id"),
    )
    .outerjoin(_Actor, _Actor.id == AuditEvent.actor_id)
    .outerjoin(_Person, _Person.id == AuditEvent.person_id)
    .outerjoin(ReferralCode, ReferralCode.id == AuditEvent.subject_id)
    .outerjoin(OAuthClient, OAuthClient.id == AuditEvent.subject_id)
    .outerjoin(Program, Program.id == AuditEvent.subject_id),
    AuditEvent.id,
    (
        Column("time", to_translate("Time"), lambda row: row.AuditEvent.created_at, AuditEvent.id),
        Column("event", to_translate("Event"), lambda row: row.AuditEvent.action, AuditEvent.action),
        Column(
            "by", to_translate("By"), lambda row: name_of(row[1]) or row.AuditEvent.actor, AuditEvent.actor
        ),
        Column("target", to_translate("Target"), target),
        Column("from", to_translate("From"), lambda row: row.AuditEvent.address),
        Column("details", to_translate("Details"), lambda row: details(row.AuditEvent), is_shown=False),
        Column("request", to_translate("Request ID"), lambda row: row.AuditEvent.request_id, is_shown=False),
    ),
    default="-time",
)


def codes(now: datetime) -> Table:
    """Return the list of codes, with their statuses at `now`."""
    statuses = {status: has_status(status, now) for status in CodeStatus}
    return Table(
        "codes",
        select(ReferralCode, User, ReferralCode.id.label("row_id")).join(
            User, User.id == ReferralCode.owner_id
        ),
        ReferralCode.id,
        (
            Column(
                "code", to_translate("Code"), lambda row: row[0].code, func.coalesce(ReferralCode.code, "")
            ),
            Column("owner", to_translate("Owner"), lambda row: name_of(row.User), _name(User)),
            Column(
                "status",
                to_translate("Status"),
                lambda row: row[0].status(now),
                case(*((condition, status.value) for status, condition in statuses.items()), else_=""),
            ),
            Column("uses", to_translate("Uses"), lambda row: row[0].uses, ReferralCode.uses, is_number=True),
            Column(
                "expires", to_translate("Expires"), lambda row: row[0].expires_at, ReferralCode.expires_at
            ),
            Column("created", to_translate("Created"), lambda row: row[0].created_at, ReferralCode.id),
        ),
        default="-created",
    )


def with_program(table: Table, programs: Mapping[uuid.UUID, Program]) -> Table:
    """Return a list of codes or referrals with the program as its last column, if there is more than one."""
    if len(programs) == 1:
        return table
    names = {program.id: program.name for program in programs.values()}
    column = Column("program", to_translate("Program"), lambda row: names.get(row[0].program_id))
    return replace(table, columns=(*table.columns, column))


Conditions = tuple[Sequence[Condition], Sequence[Condition]]
"""Those that an index serves, and the others."""


async def find_users(session: AsyncSession, text: str, status: str) -> Conditions:
    """Return the condition for the users with this address or id, or else for users that contain the text."""
    chosen = [User.status == status] if status else []
    if await service.list_users(session, email=text, limit=1):
        return [service.has_address(text)], chosen
    if user := text and await service.find(session, text):
        return [User.id == user.id], chosen
    return [], [*([service.contains(text)] if text else ()), *chosen]


async def find_codes(session: AsyncSession, text: str, status: str, *, now: datetime) -> Conditions:
    """Return the condition for this code, the codes of the user with this address or id, or codes with this part."""
    narrow, filters = [], []
    if status == ENDING:
        narrow += [has_status(CodeStatus.ACTIVE, now), ReferralCode.expires_at <= now + EXPIRES_SOON]
    elif status:
        filters.append(has_status(CodeStatus(status), now))
    if code_id := text and await _find_code(session, text):
        narrow.append(ReferralCode.id == code_id)
    elif user := text and await service.find(session, text):
        narrow.append(ReferralCode.owner_id == user.id)
    elif text:
        filters.append(_code_contains(text))
    return narrow, filters


async def find_referrals(session: AsyncSession, text: str, status: str) -> Conditions:
    """Return the condition for the referrals of or with a user, by a code, or whose users or code contain the text."""
    filters = [Referral.status == status] if status else []
    if user := text and await service.find(session, text):
        return [or_(Referral.referrer_id == user.id, Referral.referee_id == user.id)], filters
    if code_id := text and await _find_code(session, text):
        return [Referral.code_id == code_id], filters
    if text:
        names = (service.contains(text, _Friend), service.contains(text, _Referrer))
        filters.append(or_(*names, _code_contains(text)))
    return [], filters


async def find_events(_: AsyncSession, user_id: uuid.UUID | None, action: str) -> Conditions:
    """Return the condition for the events by or about a user."""
    narrow = [or_(AuditEvent.actor_id == user_id, AuditEvent.person_id == user_id)] if user_id else []
    return narrow, [AuditEvent.action == action] if action else []


async def find_dead_jobs(_: AsyncSession) -> Conditions:
    return [Job.outcome == "dead"], []


async def find_all(_: AsyncSession) -> Conditions:
    return [], []


async def _find_code(session: AsyncSession, text: str) -> uuid.UUID | None:
    key = code_format.normalise(text) or ""
    return await session.scalar(select(ReferralCode.id).where(ReferralCode.key == key))


def _code_contains(text: str) -> Condition:
    part = code_format.normalise_part(text)
    return ReferralCode.key.contains(part, autoescape=True) if part else false()
