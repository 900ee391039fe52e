"""I5: what a sign-in with an account elsewhere leaves in the audit."""

from social.browser import sign_in

EVENTS = "SELECT action, actor FROM audit_events ORDER BY action"


async def test_i5_registration_with_a_provider_is_audited(api, provider, rows):
    assert (await sign_in(api, provider)).status_code == 303

    assert await rows(EVENTS) == [
        ("email.verified", "user"),
        ("identity.linked", "user"),
        ("session.started", "user"),
        ("user.registered", "user"),
    ]
    assert await rows("SELECT count(DISTINCT actor_id), count(DISTINCT person_id) FROM audit_events") == [
        (1, 1)
    ]


async def test_i5_second_sign_in_with_a_provider_is_audited_as_a_session(api, provider, rows):
    for _ in range(2):
        await sign_in(api, provider)

    started = "SELECT count(*) FROM audit_events WHERE action = 'session.started'"
    assert await rows(started) == [(2,)]
