"""The OpenAPI document says all that a reader of the API needs, of every operation."""

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
            if "security" in operation:
                refusals = {"401", "403"} & set(operation["responses"])
                hidden = "Administration" in operation["tags"]  # it is simply not there: 404
                with sweep.case(name):
                    assert operation["security"][0]["AccessToken"]
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
    asked = {scope for one in OPERATIONS for scope in one[2].get("security", [{}])[-1].get("OAuth2", [])}

    assert asked <= set(flow["scopes"])
    assert "account" not in asked
    assert {"profile", "codes:write", "referrals:read"} <= asked


def test_tags_stand_in_the_order_of_the_story():
    names = [tag["name"] for tag in DOCUMENT["tags"]]

    assert names[:5] == ["Registration", "Sessions", "Your referral codes", "Looking up a code", "Referrals"]
    assert set(names) == {operation[2]["tags"][0] for operation in OPERATIONS}


def test_operation_ids_are_unique_names():
    ids = [operation[2]["operationId"] for operation in OPERATIONS]

    assert len(set(ids)) == len(ids)


def test_an_example_of_a_request_is_one_that_works():
    from goodword.codes.schemas import CodeCreate
    from goodword.signup.schemas import UserCreate

    for schema in (CodeCreate, UserCreate):
        for example in schema.model_json_schema()["examples"]:
            schema.model_validate(example)


@pytest.mark.one_database
async def test_the_document_is_sent_once_and_revalidated_after(api):
    first = await api.get("/openapi.json")
    again = await api.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == "no-cache"
    assert first.json()["info"]["title"] == "Goodword"
    assert (again.status_code, again.content) == (304, b"")
