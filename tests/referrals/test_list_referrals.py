"""GET /api/v1/users/{user_id}/referrals"""

import pytest

from goodword.referrals import listing
from people import PASSWORD, bring, join, make_code, referrals_of, register

NOBODY = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"


def path(person):
    return f"/api/v1/users/{person.id}/referrals"


async def names(owner, **query):
    return [referral["referee"]["display_name"] for referral in await referrals_of(owner, **query)]


async def test_lists_the_referees(alice):
    code = await bring(alice)
    bob = (await register(alice.api, "bob", last_name="Builder", referral_code=code["code"])).json()

    (referral,) = await referrals_of(alice)

    assert referral == {
        "id": referral["id"],
        "referee": {"display_name": "Bob B.", "email_masked": "b***@example.com"},
        "code": code["code"],
        "status": "confirmed",
        "created_at": bob["created_at"],
        "confirmed_at": bob["created_at"],
    }


async def test_shows_no_other_data_of_a_referee(alice):
    code = await bring(alice)
    bob = await join(alice.api, "bob", last_name="Builder", referral_code=code["code"])

    answer = await alice.get(path(alice))

    for private in (bob.email, bob.id, "Builder", "bob@", "127.0.0.1"):
        assert private not in answer.text
    assert set(answer.json()) == {"items", "next_cursor"}


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("b@example.com", "b***@example.com"),
        ("a.very.long.name+tag@mail.example.com", "a***@mail.example.com"),
        ("Ärger@bücher.example", "Ä***@bücher.example"),
    ],
)
async def test_masks_the_address(alice, email, masked):
    code = await bring(alice)
    await register(alice.api, "bob", email=email, referral_code=code["code"])

    (referral,) = await referrals_of(alice)

    assert referral["referee"]["email_masked"] == masked


async def test_a_referee_without_a_name_is_a_friend(alice):
    code = await bring(alice)
    await register(alice.api, "bob", first_name=None, referral_code=code["code"])

    assert await names(alice) == ["A friend"]


async def test_the_list_can_be_empty(alice):
    answer = await alice.get(path(alice))

    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


async def test_lists_newest_first(alice):
    await bring(alice, "bob", "carol", "dave")

    assert await names(alice) == await names(alice, sort="newest") == ["Dave", "Carol", "Bob"]


async def test_can_list_oldest_first(alice):
    await bring(alice, "bob", "carol", "dave")

    assert await names(alice, sort="oldest") == ["Bob", "Carol", "Dave"]


async def test_a_registration_without_a_code_is_not_listed(alice, bob):
    await make_code(alice)

    assert await referrals_of(alice) == await referrals_of(bob) == []


async def test_referrals_of_referees_are_not_listed(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])
    await bring(bob, "carol")

    assert (await names(alice), await names(bob)) == (["Bob"], ["Carol"])


async def test_another_user_is_answered_like_an_unknown_one(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    another, nobody = await bob.get(path(alice)), await bob.get(f"/api/v1/users/{NOBODY}/referrals")

    assert another.status_code == 404
    assert another.json()["code"] == "user_not_found"
    assert another.json() | {"request_id": None} == nobody.json() | {"request_id": None}


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    for user in (alice.id, NOBODY, "no-id"):
        answer = await api.get(f"/api/v1/users/{user}/referrals")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


@pytest.mark.one_database
@pytest.mark.parametrize(
    "user", ["1", "me", "alice@example.com", "' OR 1=1 --", "%00", NOBODY + "0", "０" * 32]
)
async def test_rejects_an_invalid_id(alice, user):
    answer = await alice.get(f"/api/v1/users/{user}/referrals")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["path.user_id"]


async def test_an_erased_referee_has_no_name(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    await bob.delete("/api/v1/me", json={"password": PASSWORD})

    (referral,) = await referrals_of(alice)
    assert referral["referee"] == {"display_name": "A friend", "email_masked": None}
    assert (referral["code"], referral["status"]) == (code["code"], "confirmed")


async def test_shows_a_changed_name(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    await bob.patch("/api/v1/me", {"first_name": "Robert"})

    assert await names(alice) == ["Robert"]


async def test_shows_a_deleted_code(alice):
    code = await bring(alice, "bob")

    await alice.delete(f"/api/v1/me/referral-codes/{code['code']}")

    (referral,) = await referrals_of(alice)
    assert referral["code"] == code["code"]


async def test_shows_the_code_of_each_referral(alice):
    first = await bring(alice, "bob", max_uses=1)
    second = await bring(alice, "carol")

    codes = [referral["code"] for referral in await referrals_of(alice)]

    assert codes == [second["code"], first["code"]]


async def test_filters_by_status(alice, rows):
    await bring(alice, "bob", "carol", "dave")
    # Set in the database: other tests cover pending and rejected referrals.
    for name, status in ("bob", "pending"), ("carol", "rejected"):
        await rows(
            "UPDATE referrals SET status = :status WHERE referee_id = "
            "(SELECT id FROM users WHERE email = :email) RETURNING id",
            status=status,
            email=f"{name}@example.com",
        )

    assert await names(alice, status="pending") == ["Bob"]
    assert await names(alice, status="rejected") == ["Carol"]
    assert await names(alice, status="confirmed") == ["Dave"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("limit", value) for value in ("0", "-1", "101", "1000000000", "1.0", "", "all")]
    + [("status", value) for value in ("", "active", "CONFIRMED")]
    + [("sort", value) for value in ("", "asc", "created_at; DROP TABLE users")],
)
async def test_rejects_invalid_parameters(alice, parameter, value):
    answer = await alice.get(path(alice), params={parameter: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"query.{parameter}"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "sort=newest&sort=newest", "status=pending&status=pending"]
)
async def test_rejects_a_repeated_parameter(alice, query):
    answer = await alice.get(f"{path(alice)}?{query}")

    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["repeated"]


async def test_filters_by_code(alice):
    first = await bring(alice, "bob", code="FIRST-CODE")
    await alice.delete(f"/api/v1/me/referral-codes/{first['code']}")
    await bring(alice, "carol", code="OTHER-CODE")

    assert await names(alice, code="first–code.") == ["Bob"]
    assert await names(alice, code="OTHER-CODE") == ["Carol"]
    for unknown in ("NO-SUCH-CODE", "x", ""):
        assert await names(alice, code=unknown) == []


async def test_filters_by_time(alice, clock):
    code = await bring(alice, "bob")
    clock.forward(minutes=1)
    carol = (await register(alice.api, "carol", referral_code=code["code"])).json()
    at = carol["created_at"]

    assert await names(alice, **{"from": at}) == ["Carol"]
    assert await names(alice, to=at) == ["Bob"]
    assert await names(alice, **{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}) == []
    answer = await alice.get(path(alice), params={"from": at, "to": at})
    assert (answer.status_code, answer.json()["code"]) == (422, "range_invalid")


async def test_filters_work_together_and_bind_the_cursor(alice):
    code = await bring(alice, "bob", "carol", "dave")
    query = {"status": "confirmed", "code": code["code"], "from": "2020-01-01T00:00:00Z", "limit": 1}

    page = (await alice.get(path(alice), params={**query, "sort": "oldest"})).json()
    rest = await alice.get(path(alice), params={**query, "sort": "oldest", "cursor": page["next_cursor"]})
    other = await alice.get(path(alice), params={"limit": 1, "sort": "oldest", "cursor": page["next_cursor"]})

    assert [item["referee"]["display_name"] for item in rest.json()["items"]] == ["Carol"]
    assert (other.status_code, other.json()["code"]) == (400, "cursor_invalid")


async def test_counts_all_pages_on_request(alice):
    code = await bring(alice, "bob", "carol", "dave")

    for query, total in (({}, 3), ({"code": code["code"]}, 3), ({"status": "pending"}, 0)):
        answer = await alice.get(path(alice), params={"total": "true", "limit": 1, **query})
        assert answer.json()["total"] == total
    assert "total" not in (await alice.get(path(alice), params={"total": "false"})).json()
    assert (await alice.get(path(alice), params={"total": "maybe"})).status_code == 422


async def test_the_total_ends_at_10000(alice, monkeypatch):
    await bring(alice, "bob", "carol", "dave")
    monkeypatch.setattr(listing, "MAX_TOTAL", 2)
    listing._total.cache_clear()

    assert (await alice.get(path(alice), params={"total": "true"})).json()["total"] == 2
    listing._total.cache_clear()


async def test_me_has_the_same_lists_and_counts(alice):
    await bring(alice, "bob", "carol")

    for kind, query in (
        ("referrals", {"limit": 1, "total": "true"}),
        ("referral-stats", {"to": "2030-01-01T00:00:00Z"}),
    ):
        own = await alice.get(f"/api/v1/me/{kind}", params=query)
        assert own.status_code == 200
        assert own.json() == (await alice.get(f"/api/v1/users/{alice.id}/{kind}", params=query)).json()
