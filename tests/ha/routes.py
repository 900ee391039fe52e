"""The ways from the service to the primary, from the files of deploy/ha: two processes of the service for each."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from asgi import SECRET
from ha.cluster import NAMES, PASSWORD, Cluster, start
from proxy_servers import proxy_process, replaced
from serving import free_port, goodword, serving, wait_for_port, working

ROUTES = ("multi-host", "HAProxy", "PgBouncer")


@contextmanager
def running_routes(cluster: Cluster, folder: Path) -> Iterator[dict[str, str]]:
    """Yield the URL of a service by route, over a migrated database. A worker runs meanwhile."""
    haproxy_port, pgbouncer_port = free_port(), free_port()
    common = {"SECRET_KEY": SECRET, "RATE_LIMITS": "off"}
    settings = {
        route: common | database_settings(cluster, route, haproxy_port, pgbouncer_port) for route in ROUTES
    }
    with ExitStack() as stack:
        command = haproxy(cluster, folder, haproxy_port)
        stack.enter_context(proxy_process(command, folder, haproxy_port))
        stack.enter_context(pgbouncer(cluster, haproxy_port, pgbouncer_port))
        migrated = goodword(folder, "migrate", **settings["multi-host"])
        assert migrated.returncode == 0, migrated.stderr
        urls = {}
        for route in ROUTES:
            (place := folder / route).mkdir()
            service = stack.enter_context(serving(place, "--workers", "2", **settings[route]))
            urls[route] = service.url
        stack.enter_context(working(folder, **settings["multi-host"]))
        yield urls


def database_settings(cluster: Cluster, route: str, haproxy_port: int, pgbouncer_port: int) -> dict[str, str]:
    return settings_of(
        route,
        *((f"{name}:5432", f"127.0.0.1:{cluster.nodes[name].port}") for name in NAMES),
        ("127.0.0.1:5000", f"127.0.0.1:{haproxy_port}"),
        ("127.0.0.1:6432", f"127.0.0.1:{pgbouncer_port}"),
    )


def settings_of(block: str, *changes: tuple[str, str]) -> dict[str, str]:
    """Return the settings of the block of deploy/ha/goodword.env that begins with this word."""
    text = replaced("ha/goodword.env", *changes)
    [lines] = re.findall(rf"^# {block}: .*\n((?:#?GOODWORD_.*\n)+)", text, re.MULTILINE)
    return dict(re.findall(r"^#?GOODWORD_(\w+)=(.*)$", lines, re.MULTILINE))


def haproxy(cluster: Cluster, folder: Path, port: int) -> list[str | Path]:
    text = replaced(
        "ha/haproxy.cfg",
        ("bind :5000", f"bind 127.0.0.1:{port}"),
        ("bind :5001", f"bind 127.0.0.1:{free_port()}"),
        *(
            (f"{name}:5432 check port 8008", f"127.0.0.1:{node.port} check port {node.api_port}")
            for name, node in cluster.nodes.items()
        ),
    )
    (folder / "haproxy.cfg").write_text(text)
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


@contextmanager
def pgbouncer(cluster: Cluster, haproxy_port: int, port: int) -> Iterator[None]:
    configuration, users = cluster.folder / "pgbouncer.ini", cluster.folder / "userlist.txt"
    configuration.write_text(
        replaced(
            "ha/pgbouncer.ini",
            ("port=5000", f"port={haproxy_port}"),
            ("listen_port = 6432", f"listen_port = {port}"),
            ("/etc/pgbouncer/userlist.txt", str(users)),
        )
    )
    users.write_text(f'"goodword" "{PASSWORD}"\n')
    process = start(["pgbouncer", configuration], cluster.folder / "pgbouncer.log", signal.SIGKILL)
    try:
        wait_for_port(port)
        yield
    finally:
        process.kill()
        process.wait()
