"""What `goodword serve` derives from its address, and prints on a terminal."""

import os
import sys
from pathlib import Path

import typer

from goodword.config.loading import load
from goodword.config.settings import PREFIX, Settings

EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  names them, and listens on none


def derive_public_url(host: str, port: int) -> None:
    """Let links begin with the address of the service, for this process and those it starts, if PUBLIC_URL is not set.

    Raises `SettingsError` for invalid settings.
    """
    settings = load()
    if "public_url" in settings.model_fields_set or port == 0:
        return
    name = "127.0.0.1" if host in EVERY_ADDRESS else f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}"
    if url != settings.public_url and not settings.embedded:
        typer.echo(
            f"{PREFIX}PUBLIC_URL is not set: links of the service begin with {url}, and those in e-mails, which "
            f"`goodword worker` sends, with {settings.public_url}. Set it for both.",
            err=True,
        )
    os.environ[f"{PREFIX}PUBLIC_URL"] = url


def show(settings: Settings) -> None:
    """Print the addresses and the next steps."""
    command = sys.argv[0] if Path(sys.argv[0]).name == "goodword" else "goodword"
    url, folder = settings.public_url, settings.emails_dir.absolute()
    lines = {
        "Goodword": url,
        "API": f"{url}/docs" if settings.docs_shown else "its documentation is off (GOODWORD_DOCS)",
        "E-mails": "sent by your mail server" if settings.smtp_url else f"files in {folder}",
        "Next": f"sign up at {url}/sign-up, create a code and share its link",
        "Administrator": f"{command} admin create you@example.com (in another terminal, in this folder)",
    }
    for name, text in lines.items():
        typer.echo(f"  {name + ':':15}{text}")
