"""A server that answers webhooks at once, and notes when each one arrived: `webhook_receiver.py PORT FILE`."""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import IO

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
ID = b'"external_id":"'


class Receiver(asyncio.Protocol):
    def __init__(self, log: IO[str]) -> None:
        self._log, self._received = log, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]) if separator else 0
        if not separator or len(rest) < length:
            return
        if ID in rest:
            name = rest.partition(ID)[2].partition(b'"')[0].decode()
            self._log.write(f"{name} {time.monotonic()}\n")
            self._log.flush()
        self._received = rest[length:]
        self._transport.write(ANSWER)


async def main(port: int, log: IO[str]) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Receiver, log), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w") as opened:
        asyncio.run(main(int(sys.argv[1]), opened))
