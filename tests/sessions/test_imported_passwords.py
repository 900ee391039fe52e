"""Sign-in with a password whose hash another system made."""

import pytest
from sqlalchemy import text

from people import PASSWORD

LONG = "пароль длиннее, чем семьдесят два байта в кодировке UTF-8, это точно"
# Made by Django 5.2 and Passlib 1.7.
HASHES = {
    "django pbkdf2": "pbkdf2_sha256$1000$Yx2oPz81aQ$5sSanTbzN/80+vnTM6L/btx82lRkfBTWiLn9u/7T++8=",
    "django scrypt": "scrypt$1024$Yx2oPz81aQ$8$5$anqOfwHWObXlsgPXDNcPiDar4V+pOe37vZ3ONXjCg2qyNy3/0VcBiV869RD22WXcZQ0Hq2"
    "Tc9yBM0KJMoAF4Bw==",
    "django bcrypt": "bcrypt$$2b$04$YavQXOmSUcIgBq/sKPqRguhfbhhcdm8U5nITPSCqLspfpUH1y.nUa",
    "django bcrypt of sha-256": "bcrypt_sha256$$2b$04$UYbDgAv6FX9TE7qmRe8V0e8oMhFnk/nTytDaGfWH4d7wAxZET8VJu",
    "django argon2": "argon2$argon2id$v=19$m=64,t=1,p=8$WXgyb1B6ODFhUQ$F4lvYITZ5+AvKqMg5PAavhDL3loj5fBgRw3pVJ0j0Ms",
    "passlib scrypt": "$scrypt$ln=10,r=8,p=1$xXiv1RoDgBCCMMbY+18rxQ$95j91PhKGX2ObK2EeIB72X7sz7r1vImLc/oQ/ZG7amw",
    "bcrypt 2y": "$2y$04$WgTzJjZo0R6XE5tEAKfrK.C0LP8ZwwcBbpXmP6npwDvPdiI2a8.8e",
}
LONG_HASH = "$2a$04$Jp9F/Nx1S0BVS8zM6XifXec1LANJ5AmF1O3.ra73embaTEEx7gKC."
TOO_COSTLY = {
    "bcrypt": "$2b$31$WgTzJjZo0R6XE5tEAKfrK.C0LP8ZwwcBbpXmP6npwDvPdiI2a8.8e",
    "pbkdf2": "pbkdf2_sha256$999999999$Yx2oPz81aQ$5sSanTbzN/80+vnTM6L/btx82lRkfBTWiLn9u/7T++8=",
    "scrypt": "$scrypt$ln=30,r=8,p=1$xXiv1RoDgBCCMMbY+18rxQ$95j91PhKGX2ObK2EeIB72X7sz7r1vImLc/oQ/ZG7amw",
    "argon2": "$argon2id$v=19$m=99999999,t=9,p=1$WXgyb1B6ODFhUQ$F4lvYITZ5+AvKqMg5PAavhDL3loj5fBgRw3pVJ0j0Ms",
}

pytestmark = pytest.mark.one_database


@pytest.fixture
def store(app):
    async def store_hash(person, encoded):
        async with app.state.services.database.transaction() as session:
            values = {"hash": encoded, "email": person.email}
            await session.execute(text("UPDATE users SET password_hash = :hash WHERE email = :email"), values)

    return store_hash


async def status_of_sign_in(person, password):
    body = {"email": person.email, "password": password}
    return (await person.api.post("/api/v1/sessions", json=body)).status_code


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", HASHES)
async def test_the_password_works_and_its_hash_is_replaced(alice, store, rows, kind):
    await store(alice, HASHES[kind])

    assert await status_of_sign_in(alice, "eight lanterns on the hill") == 401
    assert await status_of_sign_in(alice, PASSWORD) == 201
    ((stored,),) = await rows("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await status_of_sign_in(alice, "eight lanterns on the hill") == 401
    assert await status_of_sign_in(alice, PASSWORD) == 201
    assert await rows("SELECT password_hash FROM users") == [(stored,)]


async def test_bcrypt_ignores_what_follows_72_bytes_until_the_first_sign_in(alice, store):
    await store(alice, LONG_HASH)

    assert await status_of_sign_in(alice, LONG) == 201
    assert await status_of_sign_in(alice, f"{LONG}!") == 401


@pytest.mark.parametrize("kind", TOO_COSTLY)
async def test_a_hash_that_costs_too_much_is_not_computed(alice, store, kind):
    await store(alice, TOO_COSTLY[kind])

    assert await status_of_sign_in(alice, PASSWORD) == 401


async def test_a_signed_in_user_can_change_the_password(alice, store):
    await store(alice, HASHES["django scrypt"])

    changed = await alice.call(
        "PUT",
        "/api/v1/me/password",
        json={"current_password": PASSWORD, "new_password": "nine lanterns on the hill"},
    )

    assert changed.status_code == 204
    assert await status_of_sign_in(alice, "nine lanterns on the hill") == 201
