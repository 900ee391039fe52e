"""The hand-written part of the Python client: retries, pages, errors, webhooks."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from goodword_client import AsyncGoodword, Goodword, Retries, codes, errors, models, webhooks
from people import PASSWORD
from serving import ROOT, serving

AT_ONCE = Retries(first_wait=0)
ALICE = models.UserCreate("alice@example.com", PASSWORD)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("service")) as served:
        yield served


@pytest.fixture(scope="module")
def token(service):
    with Goodword(service.url) as goodword:
        goodword.register(ALICE)
        return goodword.sign_in(models.SessionCreate(ALICE.email, PASSWORD)).access_token


@pytest.fixture(scope="module")
def alice(service, token):
    with Goodword(service.url, token) as goodword:
        yield goodword


class Wire:
    """What a service answers: a status, with or without a code, or no answer."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, code, headers = answer
        return httpx2.Response(status, json={"code": code, "detail": "", "title": ""}, headers=headers)

    def client(self):
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        return Goodword("http://goodword.example", retries=AT_ONCE, http=http)

    async def send_async(self):
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        async with AsyncGoodword("http://goodword.example", retries=AT_ONCE, http=http) as goodword:
            await goodword.register(ALICE)


def refused(status, code, **headers):
    return status, code, headers


BUSY, LIMITED = refused(503, "overloaded"), refused(429, "too_many_requests")
TAKEN = refused(409, "email_taken")
LOST = httpx2.ReadTimeout("no answer")


def test_a_write_is_sent_again_with_the_same_idempotency_key():
    wire = Wire(BUSY, LOST, LIMITED, TAKEN)

    with pytest.raises(errors.Conflict):
        wire.client().register(ALICE)

    assert len(wire.requests) == 4
    assert len({request.headers["idempotency-key"] for request in wire.requests}) == 1
    assert len({request.content for request in wire.requests}) == 1


async def test_the_asynchronous_client_does_the_same():
    wire = Wire(BUSY, LOST, TAKEN)

    with pytest.raises(errors.Conflict):
        await wire.send_async()

    assert len({request.headers["idempotency-key"] for request in wire.requests}) == 1


def test_a_key_of_the_caller_is_kept():
    wire = Wire(TAKEN)

    with pytest.raises(errors.Conflict):
        wire.client().register(ALICE, idempotency_key="of the caller")

    assert wire.requests[0].headers["idempotency-key"] == "of the caller"


@pytest.mark.parametrize("answer", [LOST, refused(502, "bad_gateway")])
def test_a_write_without_a_key_is_not_sent_again_if_it_may_have_happened(answer):
    wire = Wire(answer, TAKEN)

    with pytest.raises(errors.GoodwordError):
        wire.client().sign_in(models.SessionCreate(ALICE.email, PASSWORD))

    assert len(wire.requests) == 1


def test_a_key_that_is_in_use_is_waited_for():
    wire = Wire(refused(409, "idempotency_key_in_use"), TAKEN)

    with pytest.raises(errors.Conflict):
        wire.client().register(ALICE)

    assert len(wire.requests) == 2


def test_the_last_attempt_raises_what_it_got():
    wire = Wire(*[BUSY] * 4)
    with pytest.raises(codes.Overloaded) as caught:
        wire.client().get_me()
    assert (caught.value.status, caught.value.code) == (503, "overloaded")

    with pytest.raises(errors.Unreachable):
        Wire(*[LOST] * 4).client().get_me()


def test_it_waits_as_long_as_it_is_asked_to_but_not_for_minutes(monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    wire = Wire(refused(429, "too_many_requests", **{"Retry-After": "7"}), TAKEN)
    with pytest.raises(errors.Conflict):
        wire.client().register(ALICE)
    assert waits == [7]

    wire = Wire(refused(429, "too_many_requests", **{"Retry-After": "3600"}))
    with pytest.raises(errors.TooManyRequests) as caught:
        wire.client().register(ALICE)
    assert caught.value.retry_after == 3600


def test_a_code_that_it_does_not_know_is_an_error_of_its_status():
    with pytest.raises(errors.NotFound) as caught:
        Wire(refused(404, "of_a_later_version")).client().get_me()

    assert (type(caught.value), caught.value.code) == (errors.NotFound, "of_a_later_version")


def test_an_answer_that_is_not_of_the_service_is_told_apart():
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(404, text="<html>")))

    with pytest.raises(errors.UnexpectedAnswer, match="404 <html>"):
        Goodword("http://goodword.example", http=http).get_me()


def test_each_error_code_has_a_class_of_its_status():
    assert issubclass(codes.CodeNotFound, errors.NotFound)
    assert issubclass(codes.BY_CODE["validation_failed"], errors.Unprocessable)
    assert all(issubclass(one, errors.ApiError) for one in codes.BY_CODE.values())


def test_an_invalid_field_is_named(alice):
    with pytest.raises(codes.ValidationFailed) as caught:
        alice.create_code(models.CodeCreate(lifetime=3600, max_uses=0))

    assert caught.value.errors[0].field == "body.max_uses"
    assert caught.value.request_id


def test_each_yields_the_items_of_all_pages(alice):
    for number in range(5):
        alice.create_code(models.CodeCreate(lifetime=3600, code=f"CODE-{number}", active=False))

    found = [code.code for code in alice.each(alice.list_codes, limit=2)]

    assert sorted(found) == [f"CODE-{number}" for number in range(5)]
    assert len(alice.list_codes(limit=2).items) == 2


async def test_the_asynchronous_client_reads_all_pages(alice, service):
    async with AsyncGoodword(
        service.url, alice._headers["authorization"].removeprefix("Bearer ")
    ) as goodword:
        found = [code.code async for code in goodword.each(goodword.list_codes, limit=3)]

    assert found == [code.code for code in alice.each(alice.list_codes)]


def test_types_are_those_of_python(alice):
    code = next(alice.each(alice.list_codes))

    assert code.status is models.CodeStatus.PREPARED
    assert timedelta(minutes=50) < code.expires_at - datetime.now(UTC) < timedelta(hours=1)
    assert alice.get_code_qr_png(code.code).payload.read().startswith(b"\x89PNG")


def signed(body, *, secret=SECRET, at=None):
    at = at or datetime.now(UTC)
    headers = {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(at.timestamp()))}
    return headers | {"Webhook-Signature": Webhook(secret).sign("msg_1", at, body)}


EVENT = json.dumps(
    {"type": "user.created", "timestamp": "2026-11-01T12:00:00Z", "sequence": 1, "data": {"id": "7"}}
)


def test_a_webhook_with_a_signature_of_one_of_the_secrets_is_read():
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

    event = webhooks.verify(EVENT.encode(), signed(EVENT), other, SECRET)

    assert (event.id, event.type, event.sequence, event.data) == ("msg_1", "user.created", 1, {"id": "7"})
    assert event.timestamp == datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EVENT.replace("7", "8"), signed(EVENT)),
        (EVENT, signed(EVENT, at=datetime.now(UTC) - timedelta(minutes=6))),
        (EVENT, signed(EVENT, secret="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
        (EVENT, {}),
        ("[]", signed("[]")),
        ("no JSON", signed("no JSON")),
    ],
)
def test_any_other_webhook_is_refused(body, headers):
    with pytest.raises(errors.WebhookRefused):
        webhooks.verify(body, headers, SECRET)


def test_every_operation_is_a_method_of_both_clients():
    document = json.loads((ROOT / "clients" / "openapi.json").read_text())
    names = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if any(status.startswith("2") for status in operation["responses"])
    }

    for client in (Goodword, AsyncGoodword):
        assert [name for name in names if not callable(getattr(client, name, None))] == []
