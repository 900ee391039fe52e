"""`goodword doctor` on an installation without a fault, and on installations with one fault each."""

import json
import re
import subprocess

import pytest

from doctor.breakages import CASES
from doctor.broken_webhooks import disabled_endpoint, failing_endpoint
from doctor.patient import wrong
from goodword.doctor.catalogue import CHECKS
from goodword.doctor.findings import Level
from serving import GOODWORD, environment, goodword

BY_ID = {check.id: check for check in CHECKS}
LEVELS = list(Level)


def reasons(findings):
    """Return what a failed test should show."""
    return "\n".join(f"{id_}: {one['text']}" for id_, one in findings.items() if one["level"] != "ok")


@pytest.mark.parametrize("patients_database", ["sqlite", "postgres"], indirect=True)
async def test_an_installation_without_a_fault_passes_all_checks(patient):
    findings = patient.findings()

    assert list(findings) == [check.id for check in CHECKS]
    assert wrong(findings) == set()
    assert all(found["checked"] for found in findings.values())
    assert all(found["remedy"] is None for found in findings.values())


@pytest.mark.parametrize(
    ("patients_database", "case"),
    [(case.database, case) for case in CASES],
    indirect=["patients_database"],
    ids=[str(case) for case in CASES],
)
async def test_a_broken_installation_fails_its_check_alone(patient, case):
    await case.breaks(patient)

    findings = patient.findings()

    assert wrong(findings) == {case.check} | case.others, reasons(findings)
    found, check = findings[case.check], BY_ID[case.check]
    assert not re.search(r"(^|: )\w+Error\b", found["text"]), "it names the cause, not an exception"
    assert LEVELS.index(found["level"]) <= LEVELS.index(check.level)
    assert found["remedy"] == check.remedy.replace("`", "")


def test_a_low_limit_of_open_files_is_found(folder):
    limited = ["prlimit", "--nofile=256:256", str(GOODWORD), "doctor", "--json"]
    done = subprocess.run(
        limited, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )

    findings = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["open-files"]["level"] == "warning"


def test_every_check_has_a_broken_installation():
    assert {case.check for case in CASES} | {"open-files"} == BY_ID.keys()


def test_ids_are_unique():
    assert len(BY_ID) == len(CHECKS)


async def test_a_misspelt_setting_is_recognised_and_the_other_checks_go_on(patient):
    patient.settings["PUBLIC_ULR"] = "http://127.0.0.1"

    findings = patient.findings()

    assert "did you mean GOODWORD_PUBLIC_URL?" in findings["settings-names"]["text"]
    assert findings["database-reachable"]["text"] == "The database answers."


async def test_the_text_names_each_finding_and_its_remedy(patient):
    patient.settings["RATE_LIMITS"] = "off"

    done = goodword(patient.folder, "doctor", **patient.settings)

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any(line.startswith("note     rate-limits ") for line in lines)
    assert any(line.strip() == "Remove GOODWORD_RATE_LIMITS=off." for line in lines)
    assert lines[-1] == f"{len(CHECKS)} of {len(CHECKS)} checks made: 0 errors, 0 warnings, 1 note."


async def test_webhook_endpoints_are_named_without_the_rest_of_their_urls(patient):
    await disabled_endpoint(patient, reason="requested")
    assert patient.findings()["webhooks"]["level"] == "note"
    await failing_endpoint(patient)

    found = patient.findings()["webhooks"]

    assert re.fullmatch(
        r"No delivery has succeeded for an hour: acme\.example [0-9a-f-]{36}\.", found["text"]
    )
