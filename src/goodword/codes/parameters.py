"""Path parameters of the endpoints of referral codes."""

from typing import Annotated

from fastapi import Path
from starlette.convertors import StringConvertor, register_url_convertor


class PastedCode(StringConvertor):
    """One segment of a path, a slash behind it, or a whole link, which contains slashes."""

    regex = r"(?:.*/[rR]/)?[^/]+(?:/\W*)?"


class RestOfPath(StringConvertor):
    regex = "(?s:.*)"


register_url_convertor("pasted", PastedCode())
register_url_convertor("rest", RestOfPath())

Code = Annotated[
    str,
    Path(
        description="The code or its link, as people paste it: case, dashes, white space, look-alikes (0/O, 1/I/L) "
        "and punctuation around it are ignored."
    ),
]
"""The path of the endpoint declares it as `{code:pasted}`."""
