"""The number of connections that a process accepts."""

import sys

MAX_CONNECTIONS = 4096
RESERVED_FILES = 128


def connection_limit() -> int:
    """Return the maximum of connections, which needs twice as many file descriptors. Raises the soft limit."""
    if sys.platform == "win32":
        return 256
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MAX_CONNECTIONS + RESERVED_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(MAX_CONNECTIONS, (soft - RESERVED_FILES) // 2))
