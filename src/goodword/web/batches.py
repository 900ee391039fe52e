"""Batches: up to 100 items in one request, each with a result of its own."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticSerializationError, core_schema, to_json

from goodword.web.schemas import FieldError, Output

MAX_ITEMS = 100


class ItemError(Output):
    """A problem document (RFC 9457) about one item."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str
    code: str = Field(examples=["validation_failed"])
    request_id: str
    errors: list[FieldError] | None = None


class _Unread:
    """An item before its validation, which is documented as a model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._model.__pydantic_core_schema__)


def _writable(item: Any) -> Any:
    """Return an item, or None for one with lone surrogates, which no answer could contain."""
    try:
        to_json(item)
    except PydanticSerializationError:
        return None
    return item


def items_of(model: type[BaseModel]) -> Any:
    """Return the type of a list of items. They are validated one by one: see `web.batch_items`."""
    return Annotated[
        list[Annotated[Any, _Unread(model), AfterValidator(_writable)]],
        Field(
            min_length=1,
            max_length=MAX_ITEMS,
            description="Validated one by one: one that is refused harms no other.",
        ),
    ]
