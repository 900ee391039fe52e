"""The configurations of proxies in deploy/, as their programs check them. `make test-proxies` runs the service behind them."""

import subprocess
from pathlib import Path

import pytest

from mail_server import self_made_certificate
from proxy_servers import DEPLOY, caddy, haproxy, nginx

NODE = "127.0.0.1:8000"


def haproxy_check(folder: Path) -> list[str | Path]:
    return [*haproxy(folder, 8080, NODE), "-c"]


def haproxy_of_a_cluster_check(folder: Path) -> list[str | Path]:
    text = (DEPLOY / "ha" / "haproxy.cfg").read_text()
    for number in (1, 2, 3):  # names that only the operator's network knows
        text = text.replace(f"db{number}:", f"10.0.0.{number}:")
    (folder / "haproxy.cfg").write_text(text)
    return ["haproxy", "-c", "-f", folder / "haproxy.cfg"]


def nginx_check(folder: Path) -> list[str | Path]:
    return [*nginx(folder, 8443, NODE), "-t"]


def caddy_check(folder: Path) -> list[str | Path]:
    program, _, *options = caddy(folder, 8443, NODE)
    return [program, "validate", *options]


@pytest.mark.parametrize(
    "checked",
    [haproxy_check, haproxy_of_a_cluster_check, nginx_check, caddy_check],
    ids=["haproxy", "haproxy of a cluster", "nginx", "caddy"],
)
def test_the_program_accepts_its_configuration(checked, tmp_path):
    self_made_certificate(tmp_path)
    done = subprocess.run(checked(tmp_path), check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
