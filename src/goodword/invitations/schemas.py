"""What it takes to have a letter sent to somebody."""

from pydantic import ConfigDict, Field

from goodword.users.addresses import Email
from goodword.web.schemas import Input, Output, Text


class InvitationCreate(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "bob@example.com"}]})

    email: Email = Field(description="Whom to invite.")


class CodeEmailRequest(Input):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"referrer_email": "alice@example.com", "email": "bob@example.com"}]}
    )

    referrer_email: Email = Field(description="Whose code it is.")
    email: Email = Field(description="Where to send it: your own address.")


class UnsubscribeRequest(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "gwr_" + "x" * 64}]})

    token: Text = Field(max_length=255, description="Of the link at the end of the letter.")


class EmailAccepted(Output):
    detail: str = "If there is something to send, a letter is on its way."
