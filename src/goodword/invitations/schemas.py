"""Schemas of invitations."""

from typing import Annotated

from pydantic import AfterValidator, Field

from goodword.mail import unsubscribe
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

    token: Annotated[Text, AfterValidator(unsubscribe.find_token)] = Field(
        max_length=1024, description="The token of the link at the end of the e-mail, or the link."
    )


class EmailAccepted(Output):
    detail: str = "The request was accepted. An e-mail is sent if there is something to send."
