"""Request and response schemas for administrators. They contain e-mail addresses in full."""

import uuid
from typing import Annotated

from pydantic import ConfigDict, Field

from goodword.codes.models import CodeStatus
from goodword.providers.models import Verdict
from goodword.referrals.models import ReferralStatus
from goodword.users.models import UserStatus
from goodword.web.schemas import Input, Instant, Name, Output

Email = Annotated[str | None, Field(description="Null once erased.", examples=["alice@example.com"])]


class AdminUser(Output):
    """A user in a list."""

    id: uuid.UUID
    email: Email
    email_verified: bool
    first_name: str | None = Field(examples=["Alice"])
    last_name: str | None = Field(examples=["Liddell"])
    status: UserStatus = Field(examples=[UserStatus.ACTIVE])
    is_admin: bool = Field(examples=[False])
    created_at: Instant
    erased_at: Instant | None


class AdminUserList(Output):
    items: list[AdminUser]
    next_cursor: str | None


class AdminCode(Output):
    """A code, with what is needed to decide whether to revoke it."""

    code: str | None = Field(description="Null once the owner is erased.", examples=["7KQ2M9XWPA"])
    status: CodeStatus
    retired_reason: str | None = Field(examples=["revoked"])
    expires_at: Instant
    uses: int = Field(examples=[3])


class AdminUserDetail(AdminUser):
    """A user with codes, sessions and referrer."""

    referred_by: str | None = Field(description="Display name.", examples=["Carol D."])
    email_check: Verdict | None = Field(
        description="Result of the e-mail check; null once erased.", examples=[Verdict.DELIVERABLE]
    )
    looks_like: uuid.UUID | None = Field(
        description="The user whose ASCII e-mail address this one can be mistaken for."
    )
    sessions: int = Field(description="Number of active sessions.", examples=[2])
    codes: list[AdminCode] = Field(description="The latest 100 codes.")


class TreeNode(Output):
    user_id: uuid.UUID
    level: int = Field(
        description="-1 is the referrer, 0 the requested user, 1 a user that they referred, and so on."
    )
    email: Email
    display_name: str = Field(examples=["Bob B."])
    status: UserStatus = Field(examples=[UserStatus.ACTIVE])
    referral_id: uuid.UUID | None = Field(description="Null for a user who signed up without a code.")
    referrer_id: uuid.UUID | None
    referral_status: ReferralStatus | None
    joined_at: Instant | None
    referrals: int = Field(
        description="Number of users that they referred, also those not in the tree.", examples=[4]
    )


class ReferralTree(Output):
    items: list[TreeNode]


class ReferralReject(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The same person twice."}]})

    reason: Name = Field(
        description="The reason, for other administrators. The users concerned do not see it."
    )


class AdminReferral(Output):
    id: uuid.UUID
    referrer_id: uuid.UUID
    referee_id: uuid.UUID
    status: ReferralStatus
    reason: str | None = Field(examples=["The same person twice."])
    created_at: Instant
    confirmed_at: Instant | None
