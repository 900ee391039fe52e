"""Schemas of invitations."""

from pydantic import Field

from goodword.users.addresses import Email
from goodword.web.schemas import Input, Output, Text, example


class InvitationCreate(Input):
    model_config = example({"email": "bob@example.com"})

    email: Email = Field(description="The address to invite.")


class CodeEmailRequest(Input):
    model_config = example({"referrer_email": "alice@example.com", "email": "bob@example.com"})

    referrer_email: Email = Field(description="The address of the referrer.")
    email: Email = Field(description="Your own address, to which the code is sent.")


class UnsubscribeRequest(Input):
    model_config = example({"token": "gwu_" + "x" * 64})

    token: Text = Field(max_length=255, description="The token of the link at the end of the e-mail.")


class EmailAccepted(Output):
    detail: str = "The request was accepted. An e-mail is sent if there is something to send."
