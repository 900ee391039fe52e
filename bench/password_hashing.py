"""The limit of sign-in: check one password for so many seconds, and print how often a second, and the CPU of one in microseconds.

python password_hashing.py PROCESSES THREADS SECONDS
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from pwdlib.hashers.argon2 import Argon2Hasher

HASHER = Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)
PASSWORD = "seven lanterns on the hill"


def work(threads: int, seconds: float) -> tuple[float, float]:
    """Return the passwords a second that these threads check, and the CPU seconds that they took."""
    stored = HASHER.hash(PASSWORD)
    began, used = time.monotonic(), time.process_time()

    def loop() -> int:
        done = 0
        while time.monotonic() < began + seconds:
            HASHER.verify(PASSWORD, stored)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(future.result() for future in [pool.submit(loop) for _ in range(threads)])
    return done / (time.monotonic() - began), (time.process_time() - used) / done


if __name__ == "__main__":
    processes, threads, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with ProcessPoolExecutor(processes) as pool:
        rates, costs = zip(*pool.map(work, [threads] * processes, [seconds] * processes), strict=True)
    print(sum(rates), sum(costs) / processes * 1e6)
