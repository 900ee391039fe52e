"""What an event costs in statements, against a sign-up with a code."""

from contextlib import contextmanager

from sqlalchemy import event

from people import make_code, register


@contextmanager
def counted(app):
    """Yield a list that gets the statements of the block."""
    engine = app.state.services.database.write_engine.sync_engine
    seen = []

    def note(_connection, _cursor, statement, *_):
        if "touches" not in statement:  # written twice a second, by no request
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_an_event_with_two_rewards_has_at_most_twice_the_statements_of_a_sign_up(shop, app, alice):
    code = await make_code(alice)
    await shop.pair()
    await shop.event("order-0")
    await register(alice.api, "carol", referral_code=code["code"])
    with counted(app) as of_sign_up:
        await register(alice.api, "dave", referral_code=code["code"])
    await shop.rule(hold=3600)
    await shop.rule(beneficiary="referee", kind="points", amount_minor=100, hold=3600)
    await shop.event("order-1")
    with counted(app) as of_event:
        answer = await shop.event("order-2")

    assert len(answer["rewards"]) == 2
    assert 0 < len(of_event) <= 2 * len(of_sign_up)
