"""Secrets in files: those that a `…_FILE` setting names, and the key that the embedded database makes itself."""

import os
import secrets
from pathlib import Path


def check(secret: str) -> None:
    """Raise `ValueError` for a secret that is empty or is not one line of text."""
    if not secret.strip():
        raise ValueError("is empty")
    if not secret.isprintable():  # a byte order mark, NUL or line break is not
        raise ValueError("must be one line of text, without control characters or a byte order mark")


def read(path: Path) -> str:
    """Return the secret in a file, without blanks around it. Raise `ValueError` when there is none."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the file ({type(error).__name__})") from None
    try:
        check(secret)
    except ValueError as error:
        raise ValueError(f"the file {error}") from None
    return secret


def make_once(path: Path) -> None:
    """Write a random secret to `path` unless the file exists. The folder is made if it is missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # whole or not at all, and the first of several processes wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
