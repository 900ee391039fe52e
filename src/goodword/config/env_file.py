"""Read a `.env` file. A line that cannot be read stops the start: its setting would silently keep its default."""

import io
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from goodword.config.settings import PREFIX, SettingsError


def read(path: Path) -> dict[str, str | None]:
    """Return the variables of the file, or none if there is no file.

    Raises `SettingsError`, which names the file and each wrong line, but no value.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingsError(f"{path} cannot be read: it links to a file that does not exist") from None
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    text = _decode(content, path)
    problems = [
        f"{path}:{_line(binding)} {problem}"
        for binding in parse_stream(io.StringIO(text))
        if (problem := _problem(binding))
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    return dotenv_values(stream=io.StringIO(text))


def _decode(content: bytes, path: Path) -> str:
    try:
        text = content.decode("utf-8-sig")  # a byte order mark would hide the first setting
        wrong = text.find("\0")  # UTF-16 without a byte order mark
    except UnicodeDecodeError as error:
        text, wrong = content.decode("latin-1"), error.start
    if wrong >= 0:
        line = text.count("\n", 0, wrong) + 1
        raise SettingsError(f"{path}:{line} is not UTF-8: save the file as UTF-8")
    return text


def _problem(binding: Binding) -> str | None:
    if binding.error:
        return "cannot be read: write NAME=value, and close each quotation mark in the same line"
    if PREFIX not in binding.original.string or not binding.key:
        return None
    if binding.value is None:
        return "has no value: write NAME=value"
    if "\n" in binding.value:  # the lines in between would belong to the value
        return "has a quotation mark that is not closed in the same line"
    return None


def _line(binding: Binding) -> int:
    text = binding.original.string  # begins with the empty lines before it
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
