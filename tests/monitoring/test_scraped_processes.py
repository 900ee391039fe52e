"""The metrics of a node with several processes, and of a worker."""

import os
import signal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from serving import children, free_port, serving, wait_for_port, wait_until, working

LIVEZ = 'goodword_http_requests_total{method="GET",route="/livez",status="200"}'


def read(url, **headers):
    with urlopen(Request(f"{url}/metrics", headers=headers)) as answer:
        return answer.read().decode()


def get(served, path):
    with urlopen(served.url + path) as answer:
        return answer.status


def value_of(served, name):
    lines = read(served.url).splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} ")), 0.0)


def test_the_counters_of_all_processes_are_added_and_outlive_a_process(tmp_path):
    with serving(tmp_path, "--workers", "2") as served:
        wait_until(lambda: value_of(served, "goodword_processes") == 2)
        before = value_of(served, LIVEZ)
        for _ in range(40):
            get(served, "/livez")
        assert {value_of(served, LIVEZ) for _ in range(10)} == {before + 40}

        both = children(served.process)
        for victim in both:
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(children(served.process) - both) == 2)
        wait_until(lambda: get(served, "/readyz") == 200)
        assert {value_of(served, LIVEZ) for _ in range(10)} == {before + 40}
        get(served, "/livez")
        assert {value_of(served, LIVEZ) for _ in range(10)} == {before + 41}
        served.stop()


def test_a_worker_has_metrics_too(tmp_path):
    port, token = free_port(), "a token for Prometheus"
    with serving(tmp_path) as served:
        served.stop()
    url = f"http://127.0.0.1:{port}"
    with working(tmp_path, WORKER_HEALTH_PORT=str(port), METRICS_TOKEN=token):
        wait_for_port(port)
        content = read(url, Authorization=f"Bearer {token}")
        statuses = [status_of(url), status_of(url, Authorization="Bearer other")]

    names = {family.name for family in text_string_to_metric_families(content)}
    assert {"goodword_build_info", "goodword_emails", "goodword_job_attempts"} <= names
    assert statuses == [401, 403]


def status_of(url, **headers):
    try:
        read(url, **headers)
    except HTTPError as error:
        error.close()
        return error.code
    return 200
