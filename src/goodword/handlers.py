"""The handlers of all features: of jobs, recurring tasks and domain events."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import get_args

from goodword import retention
from goodword.account import emails as account_emails
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import DomainEvent
from goodword.invitations import emails as invitation_emails, reminders
from goodword.jobs.worker import Handler
from goodword.privacy import erasure_cleanup
from goodword.providers import jobs as provider_jobs
from goodword.rewards import counters, emails as reward_emails, holds, reactions
from goodword.risk import reactions as risk_reactions
from goodword.sessions import lockout_notice
from goodword.webhooks import (
    delivery as webhook_delivery,
    expired_codes,
    notices as webhook_notices,
    reactions as webhook_reactions,
)

HANDLERS: Mapping[str, Handler] = {
    **account_emails.HANDLERS,
    **erasure_cleanup.HANDLERS,
    **provider_jobs.HANDLERS,
    **lockout_notice.HANDLERS,
    **invitation_emails.HANDLERS,
    **reminders.HANDLERS,
    **holds.HANDLERS,
    **reward_emails.HANDLERS,
    **webhook_delivery.HANDLERS,
    **webhook_notices.HANDLERS,
    **expired_codes.HANDLERS,
    **retention.HANDLERS,
}
"""By kind of job."""

PERIODIC_TASKS: Mapping[str, timedelta] = {
    **retention.PERIODIC_TASKS,
    **reminders.PERIODIC_TASKS,
    **holds.PERIODIC_TASKS,
    **webhook_delivery.PERIODIC_TASKS,
    **expired_codes.PERIODIC_TASKS,
}
"""By kind of job, with their interval."""

# Webhooks first: the event of a referral is written before those of its rewards.
_REACTIONS: Sequence[Mapping[type, domain_events.Handler]] = (
    webhook_reactions.HANDLERS,
    reward_emails.REACTIONS,
    reactions.HANDLERS,
    risk_reactions.HANDLERS,
    counters.HANDLERS,
)
DOMAIN_EVENTS: Mapping[type, Sequence[domain_events.Handler]] = {
    event: [handlers[event] for handlers in _REACTIONS if event in handlers]
    for event in get_args(DomainEvent)
}
"""By type of event."""

CONCURRENCY_GROUPS: Mapping[str, str] = dict.fromkeys(
    (*account_emails.HANDLERS, invitation_emails.SEND_EMAIL, reward_emails.SEND), "mail"
)
"""By kind of job. Kinds that use the mail server share a group."""
GROUP_LIMITS: Mapping[str, int] = {**webhook_delivery.GROUP_LIMITS}
"""By group. These do not share the concurrency of the worker."""
SERIAL_KINDS = webhook_delivery.SERIAL_KINDS
"""Of these kinds, jobs with the same payload run one after the other."""
