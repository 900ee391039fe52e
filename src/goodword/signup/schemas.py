"""Schemas of registration."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from goodword.users.addresses import Email
from goodword.web.schemas import Input, Name, Password, reject_control_characters


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
    # Not normalised to NFC, unlike names: that would turn the Kelvin sign into a K.
    referral_code: Annotated[str, Field(max_length=255), AfterValidator(reject_control_characters)] | None = (
        Field(None, description="The code of the referrer.")
    )


REGISTRATION_FIELDS = tuple(UserCreate.model_fields)
