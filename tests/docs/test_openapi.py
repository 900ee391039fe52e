"""The OpenAPI document says all that a reader of the API needs, of every operation."""

import pytest

from asgi import settings_for
from goodword.app import create_app
from goodword.guard import MAX_TARGET

DOCUMENT = create_app(settings_for("sqlite+aiosqlite:///none")).openapi()
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
each_operation = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)


@each_operation
def test_it_is_described(method, path, operation):
    assert operation["summary"]
    assert len(operation["description"]) > 20
    assert len(operation["tags"]) == 1


@each_operation
def test_its_bodies_have_examples(method, path, operation):
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in (content for body in bodies for content in body.get("content", {}).values()):
        assert content.get("example") or content.get("examples")


@each_operation
def test_its_errors_are_problem_documents_with_their_codes(method, path, operation):
    for status, answer in operation["responses"].items():
        if status == "default" and not path.startswith("/oauth/"):
            assert answer == {"$ref": "#/components/responses/Refused"}
        elif status >= "400" and not path.startswith("/oauth/"):
            examples = answer["content"]["application/problem+json"]["examples"]
            assert all(example["value"]["code"] == code for code, example in examples.items())
            assert all(str(example["value"]["status"]) == status for example in examples.values())


@each_operation
def test_a_protected_operation_names_the_scope_that_it_needs(method, path, operation):
    if "security" in operation:
        assert operation["security"][0]["AccessToken"]
        refusals = {"401", "403"} & set(operation["responses"])
        hidden = "Administration" in operation["tags"]  # it is simply not there: 404
        assert refusals == (set() if hidden else {"401", "403"})


@each_operation
def test_the_longest_query_that_it_documents_can_be_sent(method, path, operation):
    queries = [parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    longest = [
        len(query["name"]) + choice["maxLength"] + 2
        for query in queries
        for choice in [query["schema"], *query["schema"].get("anyOf", ())]
        if "maxLength" in choice
    ]

    assert len(path) + sum(longest) <= MAX_TARGET


def test_what_an_app_may_be_let_do_can_be_had_by_its_flow():
    flow = DOCUMENT["components"]["securitySchemes"]["OAuth2"]["flows"]["authorizationCode"]
    asked = {
        scope for one in OPERATIONS for scope in one.values[2].get("security", [{}])[-1].get("OAuth2", [])
    }

    assert asked <= set(flow["scopes"])
    assert "account" not in asked
    assert {"profile", "codes:write", "referrals:read"} <= asked


def test_tags_stand_in_the_order_of_the_story():
    names = [tag["name"] for tag in DOCUMENT["tags"]]

    assert names[:5] == ["Registration", "Sessions", "Your referral codes", "Looking up a code", "Referrals"]
    assert set(names) == {operation.values[2]["tags"][0] for operation in OPERATIONS}


def test_operation_ids_are_unique_names():
    ids = [operation.values[2]["operationId"] for operation in OPERATIONS]

    assert len(set(ids)) == len(ids)


def test_an_example_of_a_request_is_one_that_works():
    from goodword.codes.schemas import CodeCreate
    from goodword.signup.schemas import UserCreate

    for schema in (CodeCreate, UserCreate):
        for example in schema.model_json_schema()["examples"]:
            schema.model_validate(example)
