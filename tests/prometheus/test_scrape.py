"""A Prometheus with deploy/prometheus scrapes two nodes."""

import json
import subprocess
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from serving import ROOT, free_port, serving, wait_for_port, wait_until

TOKEN = "a token for Prometheus"


@contextmanager
def prometheus(folder, nodes):
    """Run Prometheus with the configuration of deploy/prometheus for these nodes. Yield its URL."""
    source = ROOT / "deploy" / "prometheus"
    given = yaml.safe_load((source / "prometheus.yml").read_text())
    (folder / "token").write_text(TOKEN)
    job = given["scrape_configs"][0]
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": nodes}]
    given |= {"scrape_configs": [job], "rule_files": [str(source / "goodword.rules.yml")]}
    given["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(given))
    port = free_port()
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("w") as log:
        command = ["prometheus", *(f"--{name}={value}" for name, value in options.items())]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def query(url, expression):
    with urlopen(f"{url}/api/v1/query?{urlencode({'query': expression})}") as answer:
        return json.load(answer)["data"]["result"]


def test_prometheus_scrapes_two_nodes_and_evaluates_the_rules(tmp_path):
    with ExitStack() as stack:
        nodes = []
        for name in ("a", "b", "prometheus"):
            (tmp_path / name).mkdir()
        for name in ("a", "b"):
            served = stack.enter_context(serving(tmp_path / name, "--workers", "2", METRICS_TOKEN=TOKEN))
            nodes.append(served.url.removeprefix("http://"))
        url = stack.enter_context(prometheus(tmp_path / "prometheus", nodes))

        wait_until(lambda: len(query(url, "goodword_processes == 2")) == 2)
        wait_until(lambda: query(url, "goodword:http_requests:rate5m"))
        instances = {found["metric"]["instance"] for found in query(url, "goodword_http_requests_total")}
        database = query(url, "goodword_database_up == 1")

    assert instances == set(nodes)
    assert len(database) == 2
