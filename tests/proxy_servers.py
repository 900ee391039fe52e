"""Real proxies for the tests: Debian's nginx and others, in front of a served Goodword."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from serving import ROOT, free_port, wait_for_port

DEPLOY = ROOT / "deploy"
CLIENT = "127.0.5.6"
"""The address that clients of a proxy connect from. The proxy itself connects to the service from 127.0.0.1."""
NGINX = "daemon off; pid {folder}/pid; error_log stderr; user root; events {{}} http {{ {paths} include {site}; }}"
NGINX_PATHS = "".join(
    f"{name}_temp_path {{folder}}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


@dataclass(frozen=True)
class Proxy:
    url: str
    trusted: ssl.SSLContext

    @contextmanager
    def client(self) -> Iterator[httpx2.Client]:
        transport = httpx2.HTTPTransport(verify=self.trusted, local_address=CLIENT)
        root = urlsplit(self.url)._replace(path="").geturl()
        with httpx2.Client(transport=transport, base_url=root, timeout=15) as client:
            yield client

    def say(self, request: str) -> tuple[int, bytes]:
        """Send raw bytes and return the status and the body of the answer."""
        place = urlsplit(self.url)
        heard, plain = b"", socket.create_connection((place.hostname, place.port), 15, (CLIENT, 0))
        is_tls = place.scheme == "https"
        with (
            self.trusted.wrap_socket(plain, server_hostname=place.hostname) if is_tls else plain as connection
        ):
            connection.sendall(request.encode())
            while part := connection.recv(65536):
                heard += part
        head, _, body = heard.partition(b"\r\n\r\n")
        return int(head.split()[1]), body


def nginx_command(folder: Path, site: str) -> list[str | Path]:
    (folder / "site.conf").write_text(site)
    paths = NGINX_PATHS.format(folder=folder)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, paths=paths, site=folder / "site.conf"))
    return ["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]


@contextmanager
def proxy_process(command: list[str | Path], folder: Path, port: int) -> Iterator[None]:
    assert shutil.which(command[0]), f"these tests need Debian's {command[0]}: apt-get install {command[0]}"
    log = folder / "proxy.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    try:
        wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def replaced(name: str, *changes: tuple[str, str]) -> str:
    """Return a configuration of deploy/ with what differs on the machine of the test."""
    text = (DEPLOY / name).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def haproxy(folder: Path, port: int, *services: str) -> list[str | Path]:
    text = replaced("haproxy.cfg", ("bind :8080", f"bind 127.0.0.1:{port}"))
    [(line, options)] = re.findall(r"(server-template goodword 4 goodword:8000 (.*))", text)
    servers = (f"server node-{number} {service} {options}" for number, service in enumerate(services))
    (folder / "haproxy.cfg").write_text(text.replace(line, "\n    ".join(servers)))
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def nginx(folder: Path, port: int, *services: str) -> list[str | Path]:
    text = replaced(
        "nginx.conf",
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        (
            "server 127.0.0.1:8000 max_fails=0;",
            " ".join(f"server {service} max_fails=0;" for service in services),
        ),
        ("/etc/letsencrypt/live/referrals.example.com/fullchain.pem", str(folder / "certificate.pem")),
        ("/etc/letsencrypt/live/referrals.example.com/privkey.pem", str(folder / "key.pem")),
        ("/var/log/nginx", str(folder)),
        ("server_name referrals.example.com", "server_name 127.0.0.1"),
    )
    return nginx_command(folder, text)


def caddy(folder: Path, port: int, *services: str) -> list[str | Path]:
    """Write the configuration, with the health checks that it proposes for several nodes."""
    text = replaced(
        "Caddyfile",
        ("{\n\tservers", "{\n\tadmin off\n\tauto_https off\n\tservers"),
        ("\nreferrals.example.com {", f"\nhttps://127.0.0.1:{port} {{\n\ttls certificate.pem key.pem"),
        ("127.0.0.1:8000", " ".join(services)),
    )
    if len(services) > 1:
        text = re.sub("#(health_|lb_)", r"\1", text)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
