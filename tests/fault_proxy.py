"""A TCP proxy on loopback that can be slow, or cut the connection without a word."""

import asyncio
import threading

from serving import free_port, wait_for_port


class FaultProxy:
    """A TCP proxy that can delay each part by `delay` seconds, or pass nothing on while it is `cut`."""

    def __init__(self, target: int) -> None:
        self.target, self.port, self.delay = target, free_port(), 0.0
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        threading.Thread(target=self._run, daemon=True).start()
        wait_for_port(self.port)

    def cut(self, is_cut: bool) -> None:
        self._loop.call_soon_threadsafe(self._passing.clear if is_cut else self._passing.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._passing.wait()
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65536):
                await asyncio.sleep(self.delay)
                await self._passing.wait()
                writer.write(part)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
