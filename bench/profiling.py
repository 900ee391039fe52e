"""Show where the CPU goes: sample a process with py-spy while wrk sends one kind of request.

    python profiling.py look-up | look-up-by-string | page | sign-up | sign-in

Prints the functions that were running most often, and the packages. `--speedscope` writes a file for speedscope.app.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from client import sign_in
from parts.accounts import sign_ins
from seed import BY_EMAIL, BY_STRING, HOT, Crowd, code, email, joiners
from stack import CHEAP, stack
from wrk import drive

CROWD = Crowd(people=100_000, stars=(1_000, 0))
STAR = 0
WHAT = {
    "look-up": [BY_EMAIL + email(n) for n in HOT],
    "look-up-by-string": [BY_STRING + code(n) for n in HOT],
    "page": [],
    "sign-up": joiners(0, range(2, 20_002)),
    "sign-in": sign_ins(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--speedscope", type=Path, help="write this file instead of printing")
    given = parser.parse_args()
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise SystemExit("It needs py-spy: pip install py-spy")
    settings = CHEAP if given.what == "sign-up" else {}
    with TemporaryDirectory() as folder, stack(Path(folder)) as all_of_it:
        all_of_it.fill(CROWD)
        with all_of_it.service(settings, workers=1) as service, ThreadPoolExecutor() as pool:
            token, referrals = sign_in(service, STAR)
            requests = WHAT[given.what] or [referrals]
            shown = token if given.what == "page" else None
            drive(service, requests[:1000] if given.what == "sign-up" else requests, 1, token=shown)
            busy = pool.submit(drive, service, requests[1000:] or requests, given.seconds + 2, token=shown)
            kind, out = ("speedscope", given.speedscope) if given.speedscope else ("raw", Path(folder, "raw"))
            command = [spy, "record", "--pid", str(service.pid), "--duration", str(given.seconds)]
            command += ["--rate", "250", "--gil", "--format", kind, "--output", str(out)]
            subprocess.run(command, check=True, capture_output=True)
            print(busy.result())
        if not given.speedscope:
            show(out.read_text(), given.top)


def show(raw: str, top: int) -> None:
    """A line of `raw` is a stack, outermost first, and how often it was seen."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    total = 0
    for line in raw.splitlines():
        frames, _, seen = line.rpartition(" ")
        count = int(seen)
        names = [_short(frame) for frame in frames.split(";")]
        total += count
        own[names[-1]] += count
        packages[_package(names[-1])] += count
        within.update(dict.fromkeys(names, count))
    for title, counted in (("package", packages), ("by itself", own), ("with all that it calls", within)):
        print(f"\n{title}")
        for name, count in counted.most_common(top):
            print(f"{count / total:7.1%}  {name}")


def _short(frame: str) -> str:
    """`function (package/file.py)`: without the line and the place of the installation."""
    found = re.fullmatch(r"(.*) \((.*?)(?::\d+)?\)", frame)
    if found is None:
        return frame
    place = re.sub(r".*(site-packages|lib/python3\.\d+|src)/", "", found[2])
    return f"{found[1]} ({place})"


def _package(name: str) -> str:
    place = name.rpartition("(")[2].rstrip(")")
    return place.split("/")[0] if "/" in place else f"python's {place}"


if __name__ == "__main__":
    main()
