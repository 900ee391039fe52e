"""Fill a database with users, codes and referrals.

The database generates the rows itself, which takes minutes for ten million. User `n` has the address
`person<n>@example.org`. The first half of the users own a code each. User `n / 2` referred user `n`, except for the
first few. Users 0 and 1 have many more referrals, as `Crowd.stars` says. User 0 is an administrator.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg
from pwdlib.hashers.argon2 import Argon2Hasher

PASSWORD = "seven lanterns on the hill"
TABLES = ("users", "referral_codes", "referrals")


@dataclass(frozen=True)
class Crowd:
    """Number of users, and the extra referrals of user 0 and of user 1."""

    people: int
    stars: tuple[int, int]

    @property
    def codes(self) -> int:
        return self.people // 2


CROWD = Crowd(people=100_000, stars=(1_000, 100_000))
THOUSAND, HUNDRED_THOUSAND = 0, 1
"""The users with so many referrals."""
HOT = range(2, 1_002)
"""Users whose codes are requested again and again."""
WITHOUT_CODE = range(CROWD.codes, CROWD.people)
BY_EMAIL = "/api/v1/referral-codes/by-email?email="
BY_STRING = "/api/v1/referral-codes/"


def email(person: int) -> str:
    return f"person{person}@example.org"


def code(person: int) -> str:
    """Return the code of a user: ten hexadecimal digits, unique and unordered. The SQL below does the same."""
    return f"{person * 173205080757 & 0xFFFFFFFFFF:010X}"


def joiners(tag: int | str, codes: Iterable[int]) -> list[str]:
    """Return sign-up requests (see `requests.lua`) with the codes of these users. Each tag gives other addresses."""

    def line(n: int, owner: int) -> str:
        body = {"email": f"friend{tag}-{n}@example.net", "password": "quiet otters swim at dawn"}
        return "/api/v1/users\t" + json.dumps(body | {"first_name": "Friend", "referral_code": code(owner)})

    return [line(n, owner) for n, owner in enumerate(codes)]


async def fill(database_url: str, crowd: Crowd) -> None:
    """Fill the empty schema, and finish the maintenance that the database would do later."""
    hashed = _hash(memory_cost=19 * 1024, time_cost=2)
    connection = await asyncpg.connect(dsn(database_url))
    try:
        async with connection.transaction():
            indexes = await connection.fetch(_INDEXES, list(TABLES))
            for index in indexes:  # built once at the end, sorted: far faster than row by row
                await connection.execute(f"DROP INDEX {index['indexname']}")
            await connection.execute(_FUNCTIONS.format(total=crowd.people + sum(crowd.stars)))
            await connection.execute(_USERS.format(last=crowd.people + sum(crowd.stars) - 1, hash=hashed))
            await connection.execute(_CODES.format(last=crowd.codes - 1, a=crowd.stars[0], b=crowd.stars[1]))
            await connection.execute(_CROWD.format(last=crowd.people - 1))
            begin = crowd.people
            for star, brought in enumerate(crowd.stars):
                await connection.execute(_STAR.format(star=star, first=begin, last=begin + brought - 1))
                begin += brought
            for index in indexes:
                await connection.execute(index["indexdef"])
        for table in TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def cheapen(database_url: str, people: Sequence[int]) -> None:
    """Give these users a hash that takes no time, to sign many of them in."""
    connection = await asyncpg.connect(dsn(database_url))
    hashed = _hash(memory_cost=8, time_cost=1)
    change = "UPDATE users SET password_hash = $1 WHERE email_key = ANY($2)"
    await connection.execute(change, hashed, [email(person) for person in people])
    await connection.close()


def _hash(*, memory_cost: int, time_cost: int) -> str:
    return Argon2Hasher(memory_cost=memory_cost, time_cost=time_cost, parallelism=1).hash(PASSWORD)


def dsn(database_url: str) -> str:
    """Return the URL in the form of asyncpg."""
    return database_url.replace("+asyncpg", "")


_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename = ANY($1) AND indexname NOT LIKE 'pk_%'
"""

# Ids as the service makes them (UUID version 7, in the order of time), spread over the last thirty days.
_FUNCTIONS = """
    SET LOCAL session_replication_role = replica;  -- foreign keys hold by construction
    SET LOCAL synchronous_commit = off;
    SET LOCAL maintenance_work_mem = '512MB';
    CREATE FUNCTION pg_temp.moment(n bigint) RETURNS timestamptz STABLE LANGUAGE sql
        AS $$ SELECT date_trunc('hour', now()) - interval '30 days' + n * interval '29 days' / {total} $$;
    CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS uuid STABLE LANGUAGE sql
        AS $$ SELECT (lpad(to_hex((extract(epoch FROM pg_temp.moment(n)) * 1000)::bigint), 12, '0')
                      || '7' || substr(md5(kind || n), 1, 3) || '8' || substr(md5(kind || n), 4, 15))::uuid $$;
    CREATE FUNCTION pg_temp.code(n bigint) RETURNS text IMMUTABLE LANGUAGE sql
        AS $$ SELECT upper(lpad(to_hex((n * 173205080757) & 1099511627775), 10, '0')) $$;
"""
_USERS = """
    INSERT INTO users
        (id, created_at, email, email_key, email_canonical, password_hash, first_name, last_name, status,
         is_admin)
    SELECT pg_temp.id('user', n), pg_temp.moment(n), address, address, address, '{hash}',
           'First' || n % 1000, 'Last' || n % 997, 'active', n = 0
    FROM generate_series(0::bigint, {last}) AS n, concat('person', n, '@example.org') AS address
"""
_CODES = """
    INSERT INTO referral_codes (id, created_at, owner_id, code, key, key_mac, kind, expires_at, activated_at,
                                uses, discoverable)
    SELECT pg_temp.id('code', n), pg_temp.moment(n), pg_temp.id('user', n), pg_temp.code(n), pg_temp.code(n),
           sha256(convert_to(pg_temp.code(n), 'UTF8')), 'generated', now() + interval '300 days',
           pg_temp.moment(n), CASE n WHEN 0 THEN {a} WHEN 1 THEN {b} ELSE 2 END, true
    FROM generate_series(0::bigint, {last}) AS n
"""
_REFERRALS = """
    INSERT INTO referrals (id, created_at, referrer_id, referee_id, code_id, status, confirmed_at)
    SELECT pg_temp.id('referral', n), pg_temp.moment(n), pg_temp.id('user', {referrer}), pg_temp.id('user', n),
           pg_temp.id('code', {referrer}), 'confirmed', pg_temp.moment(n)
    FROM generate_series({first}::bigint, {last}) AS n
"""
_CROWD = _REFERRALS.format(referrer="n / 2", first=4, last="{last}")
_STAR = _REFERRALS.format(referrer="{star}", first="{first}", last="{last}")
