"""The short form of an authorization request, for the links of the pages before it is answered: sign-in and sign-up.

A link contains the request as a parameter, in which every `%` is escaped again. So the link to a long request would
exceed the limit of a URL, and the cookie of a sign-in with a provider the limit of a cookie.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from urllib.parse import urlencode

from goodword.languages import UI_LOCALES

PARAMETER = b"pending="
SHORT = 500
"""Shorter requests stay readable."""
LONGEST = 8192

# Deflate refers to these common parameters, so that even a request with a random `state` does not get longer.
_COMMON = (
    b"response_mode=query&prompt=login&login_hint=&id_token_hint=eyJhbGciOiJ&max_age=&ui_locales=en&signed_in_since="
    b"&nonce=&redirect_uri=http%3A%2F%2Flocalhost%3A%2Fcallback&redirect_uri=https%3A%2F%2F&scope=openid+profile+email"
    b"+codes%3Aread+codes%3Awrite+referrals%3Aread+offline_access&state=%7B%22&code_challenge_method=S256"
    b"&code_challenge=&response_type=code&client_id=gwc_"
)


def shorten(parameters: Mapping[str, str]) -> str:
    """Return the query string, or a short form of it that needs no escaping. `expand` reads both.

    The pages on the way read `ui_locales`, so the short form has it too.
    """
    query = urlencode(parameters)
    if len(query) <= SHORT:
        return query
    deflate = zlib.compressobj(9, wbits=-15, zdict=_COMMON)
    packed = deflate.compress(query.encode()) + deflate.flush()
    short = (PARAMETER + base64.urlsafe_b64encode(packed).rstrip(b"=")).decode()
    if UI_LOCALES in parameters:
        short += "&" + urlencode({UI_LOCALES: parameters[UI_LOCALES]})
    return short


def expand(query: bytes) -> bytes:
    """Return the query string that `shorten` was given, or `query` if it is no short form."""
    if not query.startswith(PARAMETER):
        return query
    text = query.removeprefix(PARAMETER).partition(b"&")[0]
    inflate = zlib.decompressobj(wbits=-15, zdict=_COMMON)
    try:
        packed = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return inflate.decompress(packed, LONGEST + 1)
    except (binascii.Error, zlib.error):
        return query
