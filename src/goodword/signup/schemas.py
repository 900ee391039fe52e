"""Schemas of registration."""

from pydantic import ConfigDict, Field

from goodword.codes.schemas import PastedCode
from goodword.users.addresses import Email
from goodword.web.schemas import Input, Name, NewPassword


class UserCreate(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "alice@example.com",
                    "password": "seven lanterns on the hill",
                    "first_name": "Alice",
                    "last_name": "Liddell",
                }
            ]
        }
    )

    email: Email
    password: NewPassword = Field(description="8 to 256 characters, not a common password.")
    first_name: Name | None = None
    last_name: Name | None = None
    referral_code: PastedCode | None = Field(
        None, description="The code of the referrer, or its link.", examples=["7KQ2M9XWPA"]
    )


REGISTRATION_FIELDS = tuple(UserCreate.model_fields)
