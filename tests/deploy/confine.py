"""Run a command under the system call filter of a systemd unit: `confine.py UNIT COMMAND...`.

systemd must be process 1 to do this. This applies `SystemCallFilter`, `RestrictAddressFamilies` and
`MemoryDenyWriteExecute` in the same way, with libseccomp, to a process without capabilities and new privileges.
"""

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

ALLOW, EPERM = 0x7FFF0000, 0x00050001
MASKED_EQUAL, EQUAL = 7, 4
WRITE_AND_EXECUTE, EXECUTE = 6, 4

LIB = ctypes.CDLL("libseccomp.so.2")
LIB.seccomp_init.restype = ctypes.c_void_p


class Argument(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def settings(unit: Path) -> dict[str, list[str]]:
    """Return the values of each setting of a unit, in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def system_calls(*names: str) -> set[str]:
    """Return the system calls of sets such as `@system-service`, and of the sets in them."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", *names], check=True, capture_output=True, text=True
    ).stdout
    entries = [line.strip() for line in listed.splitlines()[1:] if line.startswith("    ")]
    calls = {entry for entry in entries if not entry.startswith(("#", "@"))}
    return calls.union(*(system_calls(entry) for entry in entries if entry.startswith("@")))


class Filter:
    """A filter of system calls: those without a rule get the default action."""

    def __init__(self, default: int, action: int) -> None:
        self._context = ctypes.c_void_p(LIB.seccomp_init(ctypes.c_uint32(default)))
        self._action = ctypes.c_uint32(action)

    def add(self, call: str, *arguments: tuple[int, int, int, int]) -> None:
        number = LIB.seccomp_syscall_resolve_name(call.encode())
        array = (Argument * len(arguments))(*(Argument(*argument) for argument in arguments))
        if number < 0:  # of another architecture, or newer than the library
            return
        code = LIB.seccomp_rule_add_array(self._context, self._action, number, len(arguments), array)
        assert code == 0, f"{call}: {os.strerror(-code)}"

    def load(self) -> None:
        code = LIB.seccomp_load(self._context)
        assert code == 0, os.strerror(-code)


def confine(unit: dict[str, list[str]]) -> None:
    """Apply what the unit sets to this process, and to what it executes."""
    allowed, denied = unit["SystemCallFilter"]
    assert denied.startswith("~")
    calls = system_calls(*allowed.split()) - system_calls(*denied[1:].split())
    allowing = Filter(EPERM, ALLOW)
    for call in calls - {"socket"}:
        allowing.add(call)
    for family in unit["RestrictAddressFamilies"][0].split():
        allowing.add("socket", (0, EQUAL, socket.AddressFamily[family], 0))
    assert unit["MemoryDenyWriteExecute"] == ["yes"]
    refusing = Filter(ALLOW, EPERM)
    refusing.add("mmap", (2, MASKED_EQUAL, WRITE_AND_EXECUTE, WRITE_AND_EXECUTE))
    for call in ("mprotect", "pkey_mprotect"):
        refusing.add(call, (2, MASKED_EQUAL, EXECUTE, EXECUTE))
    refusing.load()
    allowing.load()


if __name__ == "__main__":
    confine(settings(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])
