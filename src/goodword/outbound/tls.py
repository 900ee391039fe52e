"""The TLS of outbound requests."""

import ssl
from functools import cache


@cache
def tls_context() -> ssl.SSLContext:
    """Return the context that verifies certificates and host names."""
    return ssl.create_default_context()  # slow: it reads all certificate authorities
