"""A Prometheus with deploy/prometheus scrapes two nodes."""

from contextlib import ExitStack

from prometheus_server import TOKEN, prometheus, query
from serving import serving, wait_until


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
