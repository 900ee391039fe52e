"""Two nodes behind each proxy of deploy/ are replaced under load. `make fault-figures` replaces them more often."""

import http.client
import ssl
import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from mail_server import self_made_certificate
from people import PASSWORD
from proxy_servers import caddy, haproxy, nginx, proxy_process
from serving import free_port, serving

PROXIES = (haproxy, nginx, caddy)


class Load:
    """Four clients that send 100 requests a second together."""

    def __init__(self, url, certificate):
        self.outcomes, self.done, self.address = [], threading.Event(), urlsplit(url)
        self.trusted = ssl.create_default_context(cafile=certificate)
        self.threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(4)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        connection = self.connect()
        for step in range(100_000):
            if self.done.wait(0.04):
                break
            try:
                self.outcomes.append(self.request(connection, number, step))
            except (OSError, http.client.HTTPException) as error:
                self.outcomes.append(repr(error))
                connection.close()
        connection.close()

    def connect(self):
        if self.address.scheme == "http":
            return http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        return http.client.HTTPSConnection(
            self.address.hostname, self.address.port, timeout=30, context=self.trusted
        )

    @staticmethod
    def request(connection, number, step):
        if step % 4:
            connection.request("GET", "/api/v1/referral-codes/7KQ2M9XWPA")
        else:
            body = f'{{"email": "person{number}-{step}@example.com", "password": "{PASSWORD}"}}'
            connection.request("POST", "/api/v1/users", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status if answer.status in (201, 404) else (answer.status, text)

    def wait_for(self, count):
        """Wait for so many more outcomes."""
        wanted, deadline = len(self.outcomes) + count, time.monotonic() + 60
        while len(self.outcomes) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(60)


def outcomes_of_replacements(folder, configure, replacements, **settings):
    """Replace a node after the other behind a proxy, under load. Return what came of each request."""
    ports, port = [free_port(), free_port()], free_port()
    nodes = [f"127.0.0.1:{each}" for each in ports]
    _, certificate = self_made_certificate(folder)
    url = f"{'http' if configure is haproxy else 'https'}://127.0.0.1:{port}"
    settings |= {
        "PUBLIC_URL": url,
        "TRUSTED_PROXIES": "127.0.0.1",
        "RATE_LIMITS": "off",
        "DRAIN_SECONDS": "4",
    }

    command = configure(folder, port, *nodes)
    with ExitStack() as stack:

        def start(number):
            place = folder / str(number)
            place.mkdir(exist_ok=True)
            data = {"DATA_DIR": str(folder / "data")}
            node = serving(place, "--workers", "2", "--port", str(ports[number]), **settings, **data)
            return stack.enter_context(node)

        running = [start(0), start(1)]
        stack.enter_context(proxy_process(command, folder, port))
        load = Load(url, certificate)
        stack.callback(load.stop)
        load.wait_for(20)
        for replacement in range(replacements):
            number = replacement % 2
            running[number].stop()
            running[number] = start(number)
            load.wait_for(300)  # three seconds, in which the proxy sees that the node is ready
        load.stop()
    return load.outcomes


@pytest.mark.parametrize("configure", PROXIES, ids=lambda one: one.__name__)
def test_no_request_fails_while_nodes_are_replaced(tmp_path, configure):
    outcomes = outcomes_of_replacements(tmp_path, configure, 2)

    assert set(outcomes) == {201, 404}
