"""E86: no webhook reaches a private network, by a name, by a redirect, or by DNS that changes its answer."""

import ipaddress

import pytest

from goodword.webhooks.targets import is_allowed
from people import register
from webhooks.receivers import HOST, receiving, resolve_here, sending

DELIVERY = "SELECT status, error FROM webhook_deliveries"
PRIVATE = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
PUBLIC = ("8.8.8.8", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808")


@pytest.mark.parametrize("address", PRIVATE)
async def test_e86_a_name_of_a_private_address_is_refused(app, api, webhooks, deliver, rows, address):
    await webhooks.create("user.created", url="http://acme.example/")
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return [address]

    with sending(app, allowed=lambda found: is_allowed(found, loopback=False), resolve=resolve):
        await register(api, "carol")
        await deliver()

    assert asked == [("acme.example", 80)]
    assert await rows(DELIVERY) == [("pending", "address_refused")]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert is_allowed(ipaddress.ip_address(address), loopback=False)


def test_e86_a_setting_allows_loopback_alone():
    allowed = [address for address in PRIVATE if is_allowed(ipaddress.ip_address(address), loopback=True)]

    loopback = {"127.0.0.1", "127.255.255.254", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::"}
    assert set(allowed) <= loopback
    assert {"127.0.0.1", "::1"} <= set(allowed)


async def test_e86_one_private_address_among_others_is_refused(app, api, webhooks, deliver, rows):
    await webhooks.create("user.created", url="http://acme.example/")

    with sending(
        app,
        allowed=lambda found: is_allowed(found, loopback=False),
        resolve=lambda *_: ["8.8.8.8", "127.0.0.1"],
    ):
        await register(api, "carol")
        await deliver()

    assert await rows(DELIVERY) == [("pending", "address_refused")]


async def test_e86_dns_that_answers_differently_the_second_time_does_not_get_through(
    app, api, webhooks, deliver, rows
):
    """Connect to the address that was checked: the name is not resolved again."""
    answers = [["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]]

    async with receiving() as receiver:
        await webhooks.create("user.created", url=receiver.url)
        with sending(app, resolve=lambda *_: answers.pop(0)) as client:
            await register(api, "carol")
            await deliver()
            assert (len(receiver.got), len(answers)) == (1, 2)
            await client.close()  # its connection, so that the next request needs another
            await register(api, "dave")
            await deliver()

    assert len(receiver.got) == 1
    assert sorted(await rows(DELIVERY)) == [("pending", "address_refused"), ("succeeded", None)]


async def test_e86_a_redirect_is_not_followed(app, api, webhooks, receiver, deliver, rows):
    async with receiving() as inside:
        receiver.answers = [302]
        receiver.headers = {"Location": inside.url.replace(HOST, "127.0.0.1")}
        await webhooks.create("user.created", url=receiver.url)
        await register(api, "carol")

        await deliver()

        assert (len(receiver.got), inside.connections) == (1, 0)
    assert await rows(DELIVERY) == [("pending", None)]


async def test_a_name_that_does_not_exist_is_a_failure(app, api, webhooks, deliver, rows):
    await webhooks.create("user.created", url="http://acme.example/")

    def resolve(*_):
        raise OSError("no such name")

    with sending(app, resolve=resolve):
        await register(api, "carol")
        await deliver()

    assert (await rows(DELIVERY))[0][0] == "pending"


async def test_the_proxy_of_the_environment_is_not_used(app, api, webhooks, deliver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with receiving() as receiver:
        await webhooks.create("user.created", url=receiver.url)
        with sending(app, resolve=resolve_here):
            await register(api, "carol")
            await deliver()
        assert len(receiver.got) == 1
