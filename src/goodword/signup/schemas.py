"""What somebody gives to join."""

from pydantic import ConfigDict, Field

from goodword.schemas import Input, Name, Text
from goodword.users.addresses import Email


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
    password: Text = Field(description="8 to 256 characters, and not one that many people use.")
    first_name: Name | None = None
    last_name: Name | None = None
    referral_code: Text | None = Field(None, max_length=255, description="The code of whoever invited them.")
