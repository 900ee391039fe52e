"""Schemas of registration."""

from pydantic import ConfigDict, Field

from goodword.codes.schemas import PastedCode
from goodword.users.addresses import Email
from goodword.web.schemas import Input, Name, Password


class UserCreate(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "bob@example.com",
                    "password": "quiet otters swim at dawn",
                    "first_name": "Bob",
                    "last_name": "Builder",
                    "referral_code": "7KQ2M9XWPA",
                }
            ]
        }
    )

    email: Email
    password: Password = Field(description="8 to 256 characters, not a common password.")
    first_name: Name | None = None
    last_name: Name | None = None
    referral_code: PastedCode | None = Field(None, description="The code of the referrer, or its link.")


REGISTRATION_FIELDS = tuple(UserCreate.model_fields)
