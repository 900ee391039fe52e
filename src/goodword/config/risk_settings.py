"""Which referrals are flagged or held, and what is never flagged."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from goodword.config.setting_types import Words, check_networks


def _check_domains(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return domains as keys of addresses have them: in lower case and IDNA form."""
    found = []
    for domain in value:
        try:
            found.append(domain.lower().encode("idna").decode())
        except UnicodeError:
            found.append("")
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", found[-1]):
            raise ValueError("must be domains, such as example.com")
    return tuple(found)


class RiskSettings(BaseModel):
    """Settings of risk signals."""

    risk_sign_ups_per_hour: int = Field(default=20, ge=1, le=10_000)
    risk_held_sign_ups_per_hour: int = Field(default=200, ge=1, le=10_000)
    risk_allowed_domains: Annotated[Words, AfterValidator(_check_domains)] = ()
    risk_allowed_networks: Annotated[Words, AfterValidator(check_networks)] = ()
