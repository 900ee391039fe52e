"""The registry of audit events: the name of each action, and the fields of its details."""

from collections.abc import Mapping
from enum import StrEnum


class Subject(StrEnum):
    """The kind of object that an action changes or reads."""

    USER = "user"
    SESSION = "session"
    CODE = "code"
    REFERRAL = "referral"
    PROGRAM = "program"
    REWARD_RULE = "reward_rule"
    REWARD = "reward"
    CLIENT = "oauth_client"
    KEY = "signing_key"
    API_KEY = "api_key"
    WEBHOOK_ENDPOINT = "webhook_endpoint"
    JOB = "job"
    NONE = "none"
    """No single object: a request without an account, or a search."""


class Action(StrEnum):
    """Names are API: add to them, never change them."""

    USER_REGISTERED = "user.registered"
    USER_CHANGED = "user.changed"
    USER_PROMOTED = "user.promoted"
    USER_DEMOTED = "user.demoted"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_ERASED = "user.erased"
    USER_MERGED = "user.merged"
    USER_EXPORTED = "user.exported"
    USER_VIEWED = "user.viewed"
    USER_TAKEN_OVER = "user.taken_over"
    USERS_SEARCHED = "users.searched"
    LIST_EXPORTED = "list.exported"
    DATA_EXPORTED = "data.exported"
    DATA_IMPORTED = "data.imported"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    SESSIONS_ENDED = "sessions.ended"
    SESSION_REPLAYED = "session.replayed"
    SIGN_IN_LOCKED = "sign_in.locked"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  a name
    PASSWORD_RESET = "password.reset"  # noqa: S105  a name
    EMAIL_CHANGE_ASKED = "email.change_asked"
    EMAIL_CHANGED = "email.changed"
    EMAIL_VERIFIED = "email.verified"
    EMAIL_CHECKED = "email.checked"
    EMAIL_REQUESTED = "email.requested"
    EMAILS_UNSUBSCRIBED = "emails.unsubscribed"
    TOKEN_SENT = "token.sent"  # noqa: S105  a name
    CODE_ISSUED = "code.issued"
    CODE_ACTIVATED = "code.activated"
    CODE_CHANGED = "code.changed"
    CODE_RETIRED = "code.retired"
    REFERRAL_MADE = "referral.made"
    REFERRAL_CONFIRMED = "referral.confirmed"
    REFERRAL_ACCEPTED = "referral.accepted"
    REFERRAL_REJECTED = "referral.rejected"
    REFERRAL_REFUSED = "referral.refused"
    IDENTITY_LINKED = "identity.linked"
    IDENTITIES_UNLINKED = "identities.unlinked"
    PROFILE_STORED = "profile.stored"
    GRANT_GIVEN = "grant.given"
    GRANT_REVOKED = "grant.revoked"
    CLIENT_MADE = "oauth_client.made"
    CLIENT_SECRET_ROTATED = "oauth_client.secret_rotated"  # noqa: S105  a name
    CLIENT_DISABLED = "oauth_client.disabled"
    PROGRAM_CREATED = "program.created"
    PROGRAM_CHANGED = "program.changed"
    REWARD_RULE_CREATED = "reward_rule.created"
    REWARD_RULE_CHANGED = "reward_rule.changed"
    REWARD_RULE_RETIRED = "reward_rule.retired"
    COUPONS_ADDED = "coupons.added"
    REWARD_APPROVED = "reward.approved"
    REWARD_FULFILLED = "reward.fulfilled"
    REWARD_CANCELED = "reward.canceled"
    REWARD_REVERSED = "reward.reversed"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105  a name
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_REPLAYED = "webhook.replayed"
    KEYS_ROTATED = "keys.rotated"
    JOBS_RETRIED = "jobs.retried"
    JOBS_DISCARDED = "jobs.discarded"


DETAILS: Mapping[Action, frozenset[str]] = {
    action: frozenset(names.split())
    for action, names in {
        Action.USER_REGISTERED: "by",
        Action.USER_CHANGED: "fields",
        Action.USER_MERGED: "merged",
        Action.USERS_SEARCHED: "found",
        Action.LIST_EXPORTED: "list",
        Action.DATA_EXPORTED: "hashes",
        Action.DATA_IMPORTED: "programs users codes referrals reward_rules events rewards coupons",
        Action.SESSION_STARTED: "client",
        Action.SESSION_ENDED: "why",
        Action.SESSIONS_ENDED: "why client",
        Action.SIGN_IN_LOCKED: "failures where",
        Action.EMAIL_REQUESTED: "kind",
        Action.TOKEN_SENT: "purpose",
        Action.CODE_ISSUED: "kind active",
        Action.CODE_CHANGED: "discoverable expires_at max_uses",
        Action.CODE_RETIRED: "why",
        Action.REFERRAL_MADE: "code_id confirmed",
        Action.REFERRAL_REFUSED: "code_id reason",
        Action.GRANT_GIVEN: "client scope",
        Action.GRANT_REVOKED: "client",
        Action.CLIENT_MADE: "client",
        Action.CLIENT_SECRET_ROTATED: "client",
        Action.CLIENT_DISABLED: "client",
        Action.PROGRAM_CHANGED: "fields",
        Action.REWARD_RULE_CHANGED: "version",
        Action.COUPONS_ADDED: "coupons",
        Action.API_KEY_CREATED: "scope program_id expires_at",
        Action.WEBHOOK_CREATED: "kinds program_id",
        Action.WEBHOOK_CHANGED: "fields",
        Action.WEBHOOK_DISABLED: "why",
        Action.WEBHOOK_REPLAYED: "deliveries",
        Action.KEYS_ROTATED: "at_once",
        Action.JOBS_RETRIED: "kind jobs",
        Action.JOBS_DISCARDED: "kind jobs",
    }.items()
}
"""Fields in the details of each action. Never an address, a name, a token or a referral code: rows are permanent."""
