"""OpenAPI tells the truth: whatever Schemathesis draws from it, the answer is one that it documents.

All its phases and all its checks but one. `make test` draws little, and the same each time; `make fuzz` makes
20,000 calls of it.
"""

import pytest

from fuzz.cast import acme, cast, strangers
from fuzz.drawing import Found, run

CALLS = 20_000
PATHS = (r"^/api/v1/me\b", r"^/api/v1/(?!me\b)", r"^/(?!api/)")
SERVERS = r"^/api/v1/(participants|programs|referral-codes/validate)\b"
CALLERS = ["peers", "alice", "bob", "rita", "nobody"]


@pytest.fixture
def draw(service, tmp_path):
    def draw(who, seed, **how):
        if who == "acme":
            people = acme(service, seed)
        elif who == "peers":
            people = strangers(service, seed)
        else:
            people = cast(service, seed, with_rita=who == "rita")
        found = run(service, people, who, seed=seed, folder=tmp_path, **how)
        print(f"{who}, seed {seed}: {found}")
        return found

    return draw


@pytest.mark.parametrize("paths", PATHS)
def test_a11_no_answer_is_undocumented(draw, service, is_long, seed, paths):
    found, turn = Found(), 0
    if is_long:
        while found.calls < CALLS / len(PATHS):
            found.add(draw(CALLERS[turn % len(CALLERS)], seed + turn, examples=60, paths=paths))
            turn += 1
    else:  # what the coverage phase sends is the same for each of them
        found.add(draw("rita", seed, examples=2, paths=paths))
        found.add(draw("peers", seed + 1, examples=3, paths=paths, without="coverage"))
        found.add(draw("nobody", seed + 2, examples=2, paths=paths, without="coverage"))
    print(f"together: {found}")
    assert not found.wrong, found.told()
    assert found.protected[True] < found.protected[False]
    assert '"request failed"' not in service.served.log.read_text()


def test_no_answer_to_a_server_is_undocumented(draw, service, is_long, seed):
    found, turn = draw("acme", seed, examples=4, paths=SERVERS), 0
    while is_long and found.calls < CALLS / len(PATHS):
        turn += 1
        found.add(draw("acme", seed + turn, examples=60, paths=SERVERS))
    print(f"together: {found}")
    assert not found.wrong, found.told()
    assert found.protected[True] < found.protected[False]
    assert '"request failed"' not in service.served.log.read_text()
