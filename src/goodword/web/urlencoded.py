"""Strict parsing of forms and query strings: each parameter at most once."""

from collections import Counter
from urllib.parse import parse_qsl

from goodword.errors import BadRequest

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 96


class FormInvalid(BadRequest):
    code, detail = "form_invalid", f"Send the parameters as {FORM} in UTF-8."


class ParameterRepeated(FormInvalid):
    """A name has two values. A proxy and this server could each use another one."""

    code, detail = "parameter_repeated", "A parameter is repeated."

    def __init__(self, parameters: dict[str, str]) -> None:
        super().__init__()
        self.parameters = parameters
        """The parameters that are not repeated."""


def parse(text: bytes) -> dict[str, str]:
    """Return the parameters that have a value (RFC 6749 §3.1). Raises `FormInvalid`."""
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise FormInvalid from None
    counts = Counter(name for name, _ in pairs)
    once = {name: value for name, value in pairs if counts[name] == 1 and value}
    if counts.total() > len(counts):
        raise ParameterRepeated(once)
    return once
