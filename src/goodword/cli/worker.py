"""The process of `goodword worker`."""

import asyncio
import signal
from functools import partial

from goodword.composition import build_services, build_worker, close_services, open_services
from goodword.config.settings import Settings
from goodword.jobs import probes
from goodword.services import Services


async def run_worker(settings: Settings, *, concurrency: int) -> None:
    """Run jobs until SIGTERM or SIGINT, then wait for running jobs. If the database is away, wait for it.

    Raises what `open_services` raises.
    """
    services = build_services(settings)
    worker = build_worker(services, concurrency=concurrency)
    stopped = asyncio.Event()

    def handle_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    services.waiting.set()
    opening = asyncio.create_task(open_services(services, on_wait=handle_signals))
    stopping = asyncio.create_task(stopped.wait())
    watching = asyncio.create_task(services.database.watch())
    try:
        async with probes.answering(
            settings.worker_health_port,
            lambda: services.waiting.is_set() or worker.is_waiting,
            partial(_answer_scrape, services),
        ):
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                await opening  # raises
                services.waiting.clear()
                handle_signals()
                async with worker.running():
                    await stopped.wait()
    finally:
        tasks = opening, stopping, watching
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close_services(services)


def _answer_scrape(services: Services, request: bytes, peer: str) -> probes.Answer:
    # Imported at the first scrape: `prometheus_client` would lengthen each start.
    from goodword.monitoring import exposition

    return exposition.answer_scrape(services, request, peer)
