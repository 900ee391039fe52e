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


def test_each_service_is_confined():
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # Only the service that creates the secrets gives them to their readers.
        assert service.get("cap_add", []) == (["CHOWN"] if name == "init" else []), name


def test_what_the_image_runs_can_write_to_its_data_and_temporary_files():
    for name in ("goodword", "worker"):
        assert SERVICES[name]["tmpfs"] == ["/tmp"]
        assert "data:/data" in SERVICES[name]["volumes"]
        assert "secrets:/secrets:ro" in SERVICES[name]["volumes"]
