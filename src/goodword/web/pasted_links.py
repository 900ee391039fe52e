"""Links as people paste them: rewritten by a link scanner, in brackets, or with punctuation."""

import re
from urllib.parse import unquote

MAX_ENCODINGS = 3
"""A scanner may rewrite a link that another one has rewritten."""
_PROOFPOINT_2 = re.compile(r"urldefense[\w.]*/v2/url\?(?:[^#\s]*&)?u=([^&\s]*)", re.IGNORECASE)


def decode(text: str) -> str:
    """Return the text with the target of a rewritten link in plain characters.

    Safe Links of Outlook, redirects of Google and most scanners percent-encode the target, also more than once.
    Version 2 of Proofpoint URL Defense writes `-` for `%` and `_` for `/`; version 3 leaves the target readable.
    """
    for _ in range(MAX_ENCODINGS):
        if found := _PROOFPOINT_2.search(text):
            text = found[1].replace("-", "%").replace("_", "/")
        text = unquote(text)
    return text


def find_token(text: str, prefix: str, length: int) -> str:
    """Return the token in a pasted link: `prefix` and `length` characters of base64url. Return other text as it is."""
    end = "(?:(?=__;)|(?![A-Za-z0-9_-]))"  # Proofpoint writes `__;` behind the link
    found = re.search(rf"{prefix}[A-Za-z0-9_-]{{{length}}}{end}", decode(text), re.ASCII)
    return found[0] if found else text.strip()
