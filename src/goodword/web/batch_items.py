"""Reads the items of a batch, and reports the errors of each."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from goodword.errors import AppError, ValidationFailed
from goodword.web.batches import ItemError
from goodword.web.problems import field_error, problem

Item = TypeVar("Item", bound=BaseModel)


def read_item(model: type[Item], place: int, given: Any) -> Item:
    """Return a valid item. Raises `ValidationFailed`, which names the fields within the batch."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        loc = ("body", "items", place)
        found = [{**one, "loc": (*loc, *one["loc"])} for one in error.errors(include_url=False)]
        raise ValidationFailed([field_error(one) for one in found]) from None


def item_error(error: AppError, place: int, request_id: str) -> ItemError:
    """Return the error of an item. Its fields are named within the batch."""
    document = problem(error, request_id)
    for found in document.get("errors", ()):
        if not found["field"].startswith("body.items."):
            found["field"] = found["field"].replace("body.", f"body.items.{place}.", 1)
    return ItemError.model_validate(document)
