"""The health probes of a worker in another process."""

import asyncio
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


async def probe(port, path):
    """Return the status that a worker answers, or None if nothing listens."""

    def ask():
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status
        except HTTPError as error:
            error.close()
            return error.code
        except URLError:
            return None

    return await asyncio.to_thread(ask)


async def until(port, status):
    async with asyncio.timeout(60):
        while await probe(port, "/readyz") != status:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)
