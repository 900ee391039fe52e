"""Request and response schemas for administrators. They contain e-mail addresses in full."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from goodword.admin.flags import Flag
from goodword.attribution.reasons import Reason
from goodword.codes.models import CodeStatus, ReferralCode
from goodword.providers.models import Verdict
from goodword.referrals.models import AttributedBy, ReferralStatus
from goodword.users.models import UserStatus, display_name
from goodword.web.schemas import Instant, Output

Email = Annotated[str | None, Field(description="Null once erased.", examples=["alice@example.com"])]


Flags = Annotated[
    Sequence[Flag],
    Field(
        description="`self_referral`: both sides of a referral have addresses of one mailbox.",
        examples=[["self_referral"]],
    ),
]


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
    flags: Flags = ()


class AdminUserList(Output):
    items: list[AdminUser]
    next_cursor: str | None


class AdminCode(Output):
    """A code, with what is needed to decide whether to revoke it."""

    code: str | None = Field(description="Null once the owner is erased.", examples=["7KQ2M9XWPA"])
    status: CodeStatus = Field(examples=[CodeStatus.ACTIVE])
    retired_reason: str | None = Field(examples=[None])
    expires_at: Instant
    uses: int = Field(examples=[3])

    @classmethod
    def of(cls, code: ReferralCode, now: datetime) -> "AdminCode":
        return AdminCode(
            code=code.code,
            status=code.status(now),
            retired_reason=code.retired_reason,
            expires_at=code.expires_at,
            uses=code.uses,
        )


class AdminAttribution(Output):
    """Why a user is the referral of a referrer."""

    referral_id: uuid.UUID
    program: str = Field(examples=["default"])
    referrer_id: uuid.UUID
    referrer: str = Field(description="Display name.", examples=["Carol D."])
    status: ReferralStatus = Field(examples=[ReferralStatus.CONFIRMED])
    code: str | None = Field(description="Null once its owner is erased.", examples=["7KQ2M9XWPA"])
    attributed_by: AttributedBy = Field(examples=[AttributedBy.TOUCH])
    touched_at: Instant | None = Field(
        description="When the link was clicked or the code entered. Null without a touch, and after its retention."
    )
    host: str | None = Field(description="Host of the page with the link.", examples=["blog.example"])
    created_at: Instant

    @classmethod
    def of(cls, row: Any) -> "AdminAttribution":
        return AdminAttribution(
            referral_id=row.id,
            program=row.program,
            referrer_id=row.referrer_id,
            referrer=display_name(row.first_name, row.last_name),
            status=row.status,
            code=row.code,
            attributed_by=row.attributed_by,
            touched_at=row.touched_at,
            host=row.host,
            created_at=row.created_at,
        )


class AdminRefusal(Output):
    """A code or touch of a user that was refused."""

    reason: Reason = Field(examples=[Reason.SELF_REFERRAL])
    code: str | None = Field(description="Null if there is no such code.", examples=["7KQ2M9XWPA"])
    program: str | None = Field(examples=["default"])
    created_at: Instant


class AdminUserDetail(AdminUser):
    """A user with codes, sessions and referrer."""

    external_id: str | None = Field(
        description="Id of the user in the product that reported the user, or from which the user was imported.",
        examples=[None],
    )
    reported_email: str | None = Field(
        description="The address that the product reported. It gets no e-mails.", examples=[None]
    )
    referred_by: str | None = Field(description="Display name.", examples=["Carol D."])
    email_check: Verdict | None = Field(
        description="Result of the e-mail check; null once erased.", examples=[Verdict.DELIVERABLE]
    )
    looks_like: uuid.UUID | None = Field(
        description="The user whose ASCII e-mail address this one can be mistaken for.", examples=[None]
    )
    attributions: list[AdminAttribution] = Field(description="One in each program.")
    refusals: list[AdminRefusal] = Field(description="The latest 10.")
    sessions: int = Field(description="Number of active sessions.", examples=[2])
    codes: list[AdminCode] = Field(description="The latest 100 codes.")


class TreeNode(Output):
    user_id: uuid.UUID
    level: int = Field(
        description="-1 is the referrer, 0 the requested user, 1 a user that they referred, and so on."
    )
    email: Email
    display_name: str = Field(examples=["Alice L."])
    status: UserStatus = Field(examples=[UserStatus.ACTIVE])
    referral_id: uuid.UUID | None = Field(description="Null for a user who signed up without a code.")
    referrer_id: uuid.UUID | None
    referral_status: ReferralStatus | None = Field(examples=[ReferralStatus.CONFIRMED])
    joined_at: Instant | None
    referrals: int = Field(
        description="Number of users that they referred, also those not in the tree.", examples=[4]
    )
    flags: Flags = ()

    @classmethod
    def of(cls, row: Any, flags: Sequence[Flag]) -> "TreeNode":
        return TreeNode(
            user_id=row.id,
            level=row.level,
            email=row.email,
            display_name=display_name(row.first_name, row.last_name),
            status=row.status,
            referral_id=row.referral_id,
            referrer_id=row.referrer_id,
            referral_status=row.referral_status,
            joined_at=row.joined_at,
            referrals=row.referrals,
            flags=flags,
        )


class ReferralTree(Output):
    items: list[TreeNode]


class AdminReferral(Output):
    id: uuid.UUID
    referrer_id: uuid.UUID
    referee_id: uuid.UUID
    status: ReferralStatus = Field(examples=[ReferralStatus.REJECTED])
    reason: str | None = Field(examples=["The same person twice."])
    created_at: Instant
    confirmed_at: Instant | None = Field(examples=[None])
