"""The OpenAPI document says all that a reader of the API needs, of every operation."""

import re

import jsonschema_rs
import pytest

from asgi import document
from goodword.web.guard import MAX_TARGET
from sweeps import Sweep

DOCUMENT = document()
OPERATIONS = [
    (f"{method.upper()} {path}", path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_it_is_described():
    with Sweep() as sweep:
        for name, _, operation in OPERATIONS:
            with sweep.case(name):
                assert operation["summary"]
                assert len(operation["description"]) > 20
                assert len(operation["tags"]) == 1


def test_its_bodies_have_examples():
    with Sweep() as sweep:
        for name, _, operation in OPERATIONS:
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (content for body in bodies for content in body.get("content", {}).values()):
                with sweep.case(name):
                    assert content.get("example") or content.get("examples")


def test_its_errors_are_problem_documents_with_their_codes():
    with Sweep() as sweep:
        for name, path, operation in OPERATIONS:
            if path.startswith("/oauth/"):
                continue
            for status, answer in operation["responses"].items():
                with sweep.case(f"{name} {status}"):
                    if status == "default":
                        assert answer == {"$ref": "#/components/responses/Refused"}
                    elif status >= "400":
                        examples = answer["content"]["application/problem+json"]["examples"]
                        assert all(example["value"]["code"] == code for code, example in examples.items())
                        assert all(str(example["value"]["status"]) == status for example in examples.values())


def test_a_protected_operation_names_the_scope_that_it_needs():
    with Sweep() as sweep:
        for name, _, operation in OPERATIONS:
            if operation["security"]:
                refusals = {"401", "403"} & set(operation["responses"])
                hidden = "Administration" in operation["tags"]  # it is simply not there: 404
                with sweep.case(name):
                    # Without a scheme for operations in which a token is optional.
                    assert all(any(way.values()) for way in operation["security"] if way)
                    assert refusals == (set() if hidden else {"401", "403"})


def test_the_longest_query_that_it_documents_can_be_sent():
    with Sweep() as sweep:
        for name, path, operation in OPERATIONS:
            queries = [query for query in operation.get("parameters", ()) if query["in"] == "query"]
            longest = [
                len(query["name"]) + choice["maxLength"] + 2
                for query in queries
                for choice in [query["schema"], *query["schema"].get("anyOf", ())]
                if "maxLength" in choice
            ]
            with sweep.case(name):
                assert len(path) + sum(longest) <= MAX_TARGET


def test_what_an_app_may_be_let_do_can_be_had_by_its_flow():
    flow = DOCUMENT["components"]["securitySchemes"]["OAuth2"]["flows"]["authorizationCode"]
    asked = {scope for one in OPERATIONS for way in one[2]["security"] for scope in way.get("OAuth2", [])}

    assert asked <= set(flow["scopes"])
    assert "account" not in asked
    assert {"profile", "codes:write", "referrals:read"} <= asked


def test_tags_stand_in_the_order_of_the_story():
    names = [tag["name"] for tag in DOCUMENT["tags"]]

    assert names[:5] == ["Registration", "Sessions", "Your referral codes", "Looking up a code", "Referrals"]
    assert set(names) == {operation[2]["tags"][0] for operation in OPERATIONS}


def test_operation_ids_are_names_of_methods():
    """Generators make methods of them: `client.get_code(...)`, `client.list_codes()`."""
    ids = [operation[2]["operationId"] for operation in OPERATIONS]
    reads = re.compile("get|list|find|check|export|begin|finish")

    assert len(set(ids)) == len(ids)
    with Sweep() as sweep:
        for name, _, operation in OPERATIONS:
            verb = operation["operationId"].partition("_")[0]
            query = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
            with sweep.case(f"{name}: {operation['operationId']}"):
                assert re.fullmatch("[a-z]+(_[a-z]+)*", operation["operationId"])
                assert reads.fullmatch(verb) or not name.startswith("GET ")
                assert (verb == "list") == ("cursor" in query)


def schemas_in(value):
    """Yield every object of the document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from schemas_in(inner)


def test_bounds_have_the_names_of_json_schema():
    assert [one for one in schemas_in(DOCUMENT) if {"ge", "le", "gt", "lt"} & one.keys()] == []
    limits = [
        parameter["schema"]
        for _, _, operation in OPERATIONS
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "limit"
    ]
    assert len(limits) >= 5
    assert {(limit["minimum"], limit["maximum"]) for limit in limits} == {(1, 100)}


def test_the_bounds_of_what_people_choose_are_documented():
    schemas = DOCUMENT["components"]["schemas"]
    for schema, name in (
        ("UserCreate", "password"),
        ("PasswordChange", "new_password"),
        ("PasswordReset", "password"),
    ):
        password = schemas[schema]["properties"][name]
        assert (password["minLength"], password["maxLength"]) == (8, 256)
    fields = schemas["CodeCreate"]["properties"]
    assert fields["lifetime"]["anyOf"][0] == {"type": "integer", "minimum": 60, "maximum": 366 * 24 * 3600}
    assert fields["code"]["anyOf"][0]["minLength"] == 4
    assert fields["max_uses"]["anyOf"][0]["minimum"] == 1


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"lifetime": 3600}, True),
        ({"expires_at": "2030-01-31T12:00:00Z"}, True),
        ({"lifetime": 3600, "expires_at": None}, True),
        ({"lifetime": 3600, "expires_at": "2030-01-31T12:00:00Z"}, False),
        ({"lifetime": None}, False),
        ({}, False),
    ],
)
def test_a_new_code_has_exactly_one_term(body, valid):
    schema = DOCUMENT["components"]["schemas"]["CodeCreate"]

    assert jsonschema_rs.is_valid(schema, body) is valid


def test_it_says_who_serves_it_under_which_licence():
    assert DOCUMENT["servers"] == [{"url": "http://127.0.0.1:8000"}]
    assert DOCUMENT["info"]["license"] == {"name": "Apache 2.0", "identifier": "Apache-2.0"}
    assert DOCUMENT["info"]["contact"]["url"].startswith("http://127.0.0.1:8000")


def test_a_public_operation_says_that_it_needs_no_token():
    public = [path for _, path, operation in OPERATIONS if operation["security"] == []]

    assert {"/api/v1/users", "/api/v1/sessions", "/oauth/token", "/livez"} <= set(public)
    assert "/api/v1/me" not in public


def test_the_codes_of_an_operation_are_an_enumeration():
    schemas = DOCUMENT["components"]["schemas"]
    with Sweep() as sweep:
        for name, _, operation in OPERATIONS:
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/problem+json")
                if content is None:
                    continue
                with sweep.case(f"{name} {status}"):
                    problem = schemas[content["schema"]["$ref"].rpartition("/")[2]]
                    assert problem["allOf"][0] == {"$ref": "#/components/schemas/Problem"}
                    assert set(content["examples"]) <= set(problem["allOf"][1]["properties"]["code"]["enum"])


def test_error_bodies_of_oauth_are_one_named_schema():
    token = next(operation for _, path, operation in OPERATIONS if path == "/oauth/token")
    references = {
        answer["content"]["application/json"]["schema"]["$ref"]
        for status, answer in token["responses"].items()
        if status != "200" and "application/json" in answer.get("content", {})
    }

    assert references == {"#/components/schemas/OAuthError"}


def test_tags_become_names_of_modules():
    """Generators make `o_auth_2_0` of "OAuth 2.0"."""
    assert [
        tag["name"] for tag in DOCUMENT["tags"] if not re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", tag["name"])
    ] == []


def test_a_field_that_is_always_sent_is_required():
    schemas = DOCUMENT["components"]["schemas"]

    assert set(schemas["StatusCounts"]["required"]) == {"pending", "confirmed", "rejected"}
    assert "token_type" in schemas["SessionTokens"]["required"]
    assert schemas["Liveness"]["required"] == ["status"]
    assert schemas["UserInfo"]["required"] == ["sub"]  # the others depend on the scopes
    assert schemas["OAuthTokens"]["required"] == ["access_token", "token_type", "expires_in", "scope"]


@pytest.mark.one_database
async def test_the_document_is_sent_once_and_revalidated_after(api):
    first = await api.get("/openapi.json")
    again = await api.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == "no-cache"
    assert first.json()["info"]["title"] == "Goodword"
    assert (again.status_code, again.content) == (304, b"")
