"""docs/metrics.md, the rules and the dashboard name the metrics that are exported."""

import json
import re

import yaml

from goodword.monitoring.exposition import FAMILIES, REQUESTS
from goodword.telemetry.metrics import COUNTERS, HISTOGRAMS
from serving import ROOT

NAME = re.compile(r"\bgoodword_\w+")
SERIES = {
    f"{family.name}{suffix}"
    for family in FAMILIES
    for suffix in (
        ("_total",)
        if family in (*COUNTERS, REQUESTS)
        else ("_bucket", "_sum", "_count")
        if family in HISTOGRAMS
        else ("",)
    )
}


def test_the_page_lists_every_family_with_its_labels():
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(goodword_\w+)` \| (\w+) \| (.*) \| (.+) \|$", page, re.MULTILINE)
    expected = [
        (
            f"{family.name}_total" if family in (*COUNTERS, REQUESTS) else family.name,
            ", ".join(f"`{label}`" for label in family.labels),
            family.help,
        )
        for family in sorted(FAMILIES, key=lambda family: family.name)
    ]

    assert [(name, labels, what) for name, _, labels, what in rows] == expected


def test_the_page_explains_every_alert():
    page = (ROOT / "docs" / "metrics.md").read_text()
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "goodword.rules.yml").read_text())
    alerts = {
        (rule["alert"], rule["labels"]["severity"]) for rule in rules["groups"][0]["rules"] if "alert" in rule
    }

    assert set(re.findall(r"^\| `(Goodword\w+)` \| (\w+) \|", page, re.MULTILINE)) == alerts


def test_rules_and_dashboard_use_exported_metrics_alone():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "goodword.rules.yml").read_text())
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "goodword.json").read_text())
    used = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    used += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = {name for expression in used for name in NAME.findall(expression)}

    assert names
    assert names <= SERIES
    assert {series for series in SERIES if not series.endswith(("_sum", "_count"))} <= names
