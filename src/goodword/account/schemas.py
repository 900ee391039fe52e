"""What somebody changes about their own account."""

from pydantic import ConfigDict, Field

from goodword.schemas import Input, Name, Text


class ProfileUpdate(Input):
    """A field that is left out stays; null takes the name away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"first_name": "Alice", "last_name": None}]})

    first_name: Name | None = None
    last_name: Name | None = None


class AccountDelete(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "seven lanterns on the hill"}]})

    password: Text = Field(max_length=1024)
