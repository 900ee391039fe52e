"""The schemas of the OpenAPI document have names that are good names of classes, and its examples are valid."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from asgi import document
from goodword.web import openapi_schemas
from sweeps import Sweep

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
BODIES = {
    f"{operation['operationId']} {place}": content
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
    for status, body in [("body", operation.get("requestBody", {})), *operation["responses"].items()]
    for kind, content in body.get("content", {}).items()
    for place in [f"{status} {kind}"]
}


def inner(schema: Any, *path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema inside this one, with its place, without what is forbidden by `not`."""
    if isinstance(schema, dict):
        yield " ".join(path), schema
        for key, value in schema.items():
            if key not in ("not", "example", "examples"):
                yield from inner(value, *path, key)
    if isinstance(schema, list):
        for key, value in enumerate(schema):
            yield from inner(value, *path, str(key))


def inner_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from inner(DOCUMENT["paths"])
    for name, schema in SCHEMAS.items():
        if "allOf" not in schema:  # the problem documents of one operation: `Problem`, with its codes
            yield from [found for found in inner(schema, name) if found[1] is not schema]


def test_the_names_of_schemas_are_names_of_classes():
    assert [name for name in SCHEMAS if not re.fullmatch("([A-Z][a-z]+|O(?=Auth))+", name)] == []
    assert [name for name, schema in SCHEMAS.items() if schema["title"] != name] == []
    assert [name for name in SCHEMAS if name.endswith(("Read", "Input", "Output"))] == []
    assert list(SCHEMAS) == sorted(SCHEMAS)


def test_every_name_that_is_chosen_is_used():
    assert set(openapi_schemas.NAMES.values()) <= set(SCHEMAS)


def test_objects_enumerations_and_unions_have_names():
    """Generators would call them `Status1` and `CodeCreateType0`."""
    with Sweep() as sweep:
        for place, schema in inner_schemas():
            with sweep.case(place):
                assert not isinstance(schema.get("properties"), dict) or place.endswith("properties")
                assert len(schema.get("enum", [])) < 2
                for union in ("anyOf", "oneOf"):
                    choices = [one for one in schema.get(union, []) if one.get("type") != "null"]
                    assert len(choices) < 2


def test_every_reference_leads_to_a_schema_and_every_schema_is_used():
    found = {schema["$ref"] for _, schema in inner(DOCUMENT) if isinstance(schema.get("$ref"), str)}

    assert found == {openapi_schemas.REF + name for name in SCHEMAS} | {"#/components/responses/Refused"}


@pytest.mark.parametrize("place", BODIES)
def test_examples_are_valid(place):
    content = BODIES[place]
    shown = [one["value"] for one in content.get("examples", {}).values()]
    schema = {"components": DOCUMENT["components"], **content["schema"]}

    for value in shown or [content["example"]]:
        jsonschema_rs.validate(schema, value, validate_formats=True)


def test_examples_of_parameters_are_valid():
    with Sweep() as sweep:
        for place, parameter in inner(DOCUMENT["paths"]):
            schema = parameter.get("schema", {})
            if isinstance(parameter.get("in"), str):
                with sweep.case(place):
                    for value in [
                        *schema.get("examples", []),
                        *[schema[key] for key in schema if key == "default"],
                    ]:
                        jsonschema_rs.validate({"components": DOCUMENT["components"], **schema}, value)


def test_two_schemas_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        openapi_schemas.complete({"components": {"schemas": {"Thing": {}, "ThingRead": {}}}, "paths": {}})
