"""compose.yaml, as far as it can be judged without an engine."""

from collections import Counter

import yaml

from serving import ROOT

SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_each_image_is_built_once_and_then_found_in_no_registry():
    built = Counter(service["image"] for service in SERVICES.values() if "build" in service)
    assert set(built.values()) == {1}

    for name, service in SERVICES.items():
        if service["image"] in built and "build" not in service:
            assert service.get("pull_policy") == "never", name
