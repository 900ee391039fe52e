"""Requests and responses of a user's own account."""

from typing import Annotated

from pydantic import AfterValidator, Field

from goodword.providers.schemas import ProfileRead
from goodword.users import verifications
from goodword.users.addresses import Email
from goodword.users.schemas import UserRead
from goodword.web.schemas import Input, Name, NewPassword, Output, Password, Text, example

TOKEN = "gwv_WmL0nXb3u6yQ1cJp8sTg5vRk2hDf7zAe4oNi9xUqMyE"  # noqa: S105  an example


class ProfileUpdate(Input):
    """An omitted field stays as it is; null removes the name."""

    model_config = example({"first_name": "Alice", "last_name": "Liddell"})

    first_name: Name | None = None
    last_name: Name | None = None


class AccountRead(UserRead):
    """The account with its profile."""

    profile: ProfileRead | None = Field(
        description="Data about you from a provider, if the operator has configured one. Apps do not get it."
    )


class AccountDelete(Input):
    model_config = example({"password": "seven lanterns on the hill"})

    password: Password | None = Field(
        default=None,
        max_length=1024,
        description="Required if the account has one. Otherwise a sign-in within the last five minutes is.",
    )


class PasswordChange(Input):
    model_config = example(
        {"current_password": "seven lanterns on the hill", "new_password": "eight lanterns in the valley"}
    )

    current_password: Password = Field(max_length=1024)
    new_password: NewPassword = Field(description="8 to 256 characters, and not a common password.")


class EmailChange(Input):
    model_config = example({"email": "alice@example.org", "password": "eight lanterns in the valley"})

    email: Email
    password: Password = Field(max_length=1024)


class EmailRequest(Input):
    model_config = example({"email": "alice@example.com"})

    email: Email


Token = Annotated[
    Text,
    AfterValidator(verifications.find_token),
    Field(max_length=1024, description="From the link in the message, after `#token=`; or the link."),
]


class Confirmation(Input):
    model_config = example({"token": TOKEN})

    token: Token


class PasswordReset(Input):
    model_config = example({"token": TOKEN, "password": "eight lanterns in the valley"})

    token: Token
    password: NewPassword = Field(description="8 to 256 characters, and not a common password.")


class Accepted(Output):
    detail: str = "If there is something to send, an e-mail is on its way."
