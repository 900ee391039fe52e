"""The types for TypeScript, generated with npm, compiled with the example, which then runs against a service."""

import shutil
import subprocess

import pytest

from serving import ROOT, serving

CLIENTS = ROOT / "clients"
STORY = CLIENTS / "typescript" / "story.ts"


def run(*command, cwd):
    program = shutil.which(command[0])
    assert program, "these tests need npm"
    return subprocess.run(
        [program, *command[1:]], cwd=cwd, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a copy of the client with its types."""
    clients = tmp_path_factory.mktemp("clients")
    names = ["package.json", "package-lock.json", ".npmrc", "tsconfig.json", "story.ts"]
    folder = clients / "typescript"
    folder.mkdir()
    for name in names:
        shutil.copy(CLIENTS / "typescript" / name, folder)
    shutil.copy(CLIENTS / "openapi.json", clients)
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "generate"]):
        done = run(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_story_compiles_and_runs_against_a_service(folder, tmp_path):
    with serving(tmp_path) as served:
        done = run("npm", "run", "--silent", "story", "--", served.url, cwd=folder)

    assert done.returncode == 0, done.stdout + done.stderr
    [link, *rest] = done.stdout.splitlines()
    assert link.endswith("/r/ALICE-2026")
    assert rest == ["Bob B. confirmed", "code_not_found"]


WRONG = {
    '=== "code_not_found"': ('=== "code_taken"', "no overlap"),
    "lifetime: 604_800": ('lifetime: "a week"', "Type 'string' is not assignable to type 'number'"),
    "referral.status": ("referral.state", "Property 'state' does not exist"),
    'GET("/api/v1/me/referrals"': ('GET("/api/v1/me/friends"', '"/api/v1/me/friends"'),
}
"""What the API does not have, in place of what the story says, and the error of the compiler."""


def test_the_compiler_refuses_what_the_api_does_not_have(folder):
    story = STORY.read_text()
    for right, (wrong, _) in WRONG.items():
        assert story.count(right) == 1
        story = story.replace(right, wrong)
    (folder / "story.ts").write_text(story)

    done = run("npm", "run", "--silent", "check", cwd=folder)

    shutil.copy(STORY, folder)
    for _, error in WRONG.values():
        assert error in done.stdout


def test_the_readme_shows_the_story():
    assert f"```ts\n{STORY.read_text()}```" in (CLIENTS / "typescript" / "README.md").read_text()
