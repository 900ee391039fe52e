"""What must not be told apart is not told apart by its time either.

The clock of a busy machine is no judge of one answer, so kinds of question take turns, and the ranks of hundreds of
answers are compared (Mann and Whitney). A difference that is there shows each time; a coincidence does not.
"""

import math
import statistics
import time

import pytest
from anyio.to_thread import run_sync

from asgi import SECRET, client_of, running, settings_for
from goodword.app import create_app
from goodword.users.passwords import Passwords
from people import PASSWORD, join, make_code
from serving import goodword

pytestmark = pytest.mark.one_database

SAMPLES = 400
ROUNDS = 4


@pytest.fixture
async def api(app, database_url, clock):
    uncounted = create_app(settings_for(database_url, rate_limits="off", cache="off"), clock=clock)
    async with running(uncounted), client_of(uncounted) as client:
        yield client


def are_told_apart(one, other):
    """Whether medians differ by more than 5 %, and ranks at p = 0.001."""
    low, high = sorted((statistics.median(one), statistics.median(other)))
    ranks = {
        index: rank for rank, index in enumerate(sorted(range(2 * SAMPLES), key=[*one, *other].__getitem__))
    }
    u = sum(ranks[index] for index in range(SAMPLES)) - SAMPLES * (SAMPLES - 1) / 2
    z = (u - SAMPLES**2 / 2) / math.sqrt(SAMPLES**2 * (2 * SAMPLES + 1) / 12)
    return high > 1.05 * low and abs(z) > 3.29


async def measured(*questions):
    """Seconds that each of the questions took, in turn."""
    taken = [[] for _ in questions]
    for _ in range(SAMPLES):
        for question, times in zip(questions, taken, strict=True):
            began = time.perf_counter()
            await question()
            times.append(time.perf_counter() - began)
    return taken


async def told_apart(*questions):
    """In every one of some rounds."""
    for _ in range(ROUNDS):
        if not are_told_apart(*await measured(*questions)):
            return False
    return True


def test_timing_check_detects_a_difference():
    slow = [0.0021 + n % 7 * 1e-5 for n in range(SAMPLES)]
    quick = [0.0019 + n % 7 * 1e-5 for n in range(SAMPLES)]

    assert are_told_apart(slow, quick)
    assert not are_told_apart(slow, slow)


async def test_wrong_password_and_unknown_address_take_the_same_time(api):
    """C01"""
    alice = await join(api, "alice")

    def attempt(email):
        return lambda: api.post("/api/v1/sessions", json={"email": email, "password": "not her password"})

    assert not await told_apart(attempt(alice.email), attempt("carol@example.com"))


async def test_imported_hash_own_hash_and_unknown_address_take_the_same_time(api, tmp_path, database_url):
    alice = await join(api, "alice")
    hashed = "$2b$06$WgTzJjZo0R6XE5tEAKfrK.C0LP8ZwwcBbpXmP6npwDvPdiI2a8.8e"
    file = tmp_path / "bob.ndjson"
    file.write_text(f'{{"type": "user", "email": "bob@example.com", "password_hash": "{hashed}"}}\n')
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET}
    done = await run_sync(lambda: goodword(tmp_path, "import", str(file), **settings))
    assert done.returncode == 0, done.stderr

    def attempt(email):
        return lambda: api.post("/api/v1/sessions", json={"email": email, "password": "not the password"})

    assert not await told_apart(attempt("bob@example.com"), attempt("carol@example.com"))
    assert not await told_apart(attempt("bob@example.com"), attempt(alice.email))


async def test_hidden_code_and_unknown_address_take_the_same_time(api):
    """E09"""
    alice = await join(api, "alice")
    await make_code(alice, discoverable=False)

    def look_up(email):
        return lambda: api.get("/api/v1/referral-codes/by-email", params={"email": email})

    assert not await told_apart(look_up(alice.email), look_up("carol@example.com"))


async def test_long_password_takes_no_more_time():
    """C06: hashing looks at all of it once, and the rest of the work is the same."""
    passwords = Passwords(cost="standard", min_length=8)
    try:
        stored = await passwords.hash(PASSWORD)
        took = {}
        for length in (8, 256):
            began = time.process_time()
            for _ in range(20):
                await passwords.verify("x" * length, stored)
            took[length] = time.process_time() - began
    finally:
        passwords.close()

    assert took[256] < 2 * took[8]
