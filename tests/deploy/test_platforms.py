"""The files for Fly.io and Render name settings, ports, paths and commands that exist."""

import re
import tomllib

import yaml

from goodword.config.settings import Settings
from goodword.web.guard import HEALTH_PATHS
from serving import ROOT, goodword

FLY = tomllib.loads((ROOT / "deploy" / "fly.toml").read_text())
RENDER = yaml.safe_load((ROOT / "deploy" / "render.yaml").read_text())
KNOWN = {f"GOODWORD_{name.upper()}" for name in Settings.model_fields}
PORT = re.search(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]


def test_fly_has_a_probe_a_volume_and_time_to_stop():
    [check] = FLY["http_service"]["checks"]

    assert FLY["env"].keys() <= KNOWN
    assert str(FLY["http_service"]["internal_port"]) == PORT
    assert check["path"] in HEALTH_PATHS
    assert (FLY["kill_signal"], FLY["kill_timeout"]) == ("SIGTERM", "30s")
    assert FLY["mounts"]["destination"] == "/data"
    assert FLY["http_service"]["auto_stop_machines"] == "off"


def test_render_has_settings_and_commands_that_exist(tmp_path):
    services = [service for service in RENDER["services"] if service["type"] in ("web", "worker")]
    variables = [
        *RENDER["envVarGroups"][0]["envVars"],
        *(each for one in services for each in one["envVars"]),
    ]
    commands = {one[key] for one in services for key in ("dockerCommand", "preDeployCommand") if key in one}

    assert {each["key"] for each in variables if "key" in each} - {"PORT"} <= KNOWN
    assert all(goodword(tmp_path, *command.split()[1:], "--help").returncode == 0 for command in commands)
    [web] = [service for service in services if service["type"] == "web"]
    assert web["healthCheckPath"] in HEALTH_PATHS
    assert web["dockerCommand"].endswith(f"--port {PORT}")
    assert {service["maxShutdownDelaySeconds"] for service in services} == {30}
