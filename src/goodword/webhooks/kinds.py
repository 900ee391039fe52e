"""The kinds of webhook events."""

from enum import StrEnum


class WebhookKind(StrEnum):
    """What happened. Names are API: add to them, never change them."""

    USER_CREATED = "user.created"
    USER_ERASED = "user.erased"
    CODE_CREATED = "code.created"
    CODE_ACTIVATED = "code.activated"
    CODE_RETIRED = "code.retired"
    CODE_EXPIRED = "code.expired"
    REFERRAL_PENDING = "referral.pending"
    REFERRAL_HELD = "referral.held"
    REFERRAL_CONFIRMED = "referral.confirmed"
    REFERRAL_REJECTED = "referral.rejected"
    REFERRAL_REVERSED = "referral.reversed"
    REWARD_CREATED = "reward.created"
    REWARD_APPROVED = "reward.approved"
    REWARD_FULFILLED = "reward.fulfilled"
    REWARD_CANCELED = "reward.canceled"
    REWARD_REVERSED = "reward.reversed"


TEST = "webhook.test"
"""The kind of a test event, which every endpoint gets on request."""
