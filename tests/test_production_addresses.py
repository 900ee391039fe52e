"""In production the servers of an operator are nearby or reached by TLS, however their addresses are written."""

import inspect
import ssl

import pytest
from asyncpg import connect_utils
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import make_url

from goodword.config.settings import SettingsError
from mail_server import self_made_certificate
from test_settings import SECRET, load_from

PUBLIC = "203.0.113.5"
"""An address of documentation: it belongs to no network of an operator."""
FAR_DATABASES = [
    f"u:p@{PUBLIC}/db",
    f"u:p@/db?host={PUBLIC}",
    f"u:p@/db?host={PUBLIC}&ssl=require",
    f"u:p@/db?host={PUBLIC}&ssl=verify-ca",
    f"u:p@/db?host={PUBLIC}&sslmode=verify-ca",
    f"u:p@/db?host={PUBLIC}&ssl=VERIFY-FULL",
    f"u:p@/db?host={PUBLIC}&ssl=verify-full&ssl=disable",
    f"u:p@/db?host={PUBLIC}:5433",
    f"u:p@/db?host={PUBLIC}&port=5433",
    f"u:p@10.0.0.1/db?host={PUBLIC}",
    f"u:p@/db?host=db:5432&host={PUBLIC}:5432",
    f"u:p@/db?host=db,{PUBLIC}&port=5432,5432",
    f"u:p@/db?host=/run/postgresql,{PUBLIC}&port=5432,5432",
    f"u:p@/db?host={PUBLIC},db.local&port=5432,5432",
    f"u:p@{PUBLIC},db.local/db",
    "u:p@[2001:db8::1]/db",
    "u:p@/db?host=2001:db8::1",
    "u:p@/db?host=[2001:db8::1]:5432",
    f"u:p@[::ffff:{PUBLIC}]/db",
    "u:p@3405803781/db",
    "u:p@0xcb007105/db",
    "u:p@203.29957/db",
    "u:p@203。0。113。5/db",
    "u:p@db.example.com/db",
    "u:p@/db?host=db.example.com",
    f"u:12?x@{PUBLIC}/db",
    f"u:12/x@{PUBLIC}/db",
]


@pytest.mark.parametrize("url", FAR_DATABASES)
def test_h21_a_database_elsewhere_is_found_wherever_its_url_names_it(tmp_path, url):
    given = {"DATABASE_URL": f"postgresql+asyncpg://{url}", "SECRET_KEY": SECRET}

    load_from(tmp_path, **given)
    with pytest.raises(SettingsError, match=r"GOODWORD_DATABASE_URL must have \?ssl=verify-full"):
        load_from(tmp_path, ENVIRONMENT="production", **given)


@pytest.mark.parametrize("place", [PUBLIC, f"db,{PUBLIC}", f"{PUBLIC}:5433", "[2001:db8::1]:5432"])
def test_h21_a_database_elsewhere_is_found_in_the_environment_of_the_driver(tmp_path, monkeypatch, place):
    given = {"DATABASE_URL": "postgresql+asyncpg://u:p@/db", "SECRET_KEY": SECRET}
    load_from(tmp_path, ENVIRONMENT="production", **given)
    monkeypatch.setenv("PGHOST", place)

    with pytest.raises(SettingsError, match=r"GOODWORD_DATABASE_URL must have \?ssl=verify-full"):
        load_from(tmp_path, ENVIRONMENT="production", **given)


NEAR_DATABASES = [
    "u:p@/db",
    "u:p@db/db",
    "u:p@DB.Internal/db",
    "u:p@127.0.0.1/db",
    "u:p@127.1/db",
    "u:p@10.0.0.1/db",
    "u:p@[::1]/db",
    "u:p@[fd00::1]/db",
    "u:p@[::ffff:10.0.0.1]/db",
    "u:p@/db?host=/var/run/postgresql",
    "u:p@/db?host=%2Fvar%2Frun%2Fpostgresql&port=5433",
    f"u:p@{PUBLIC}/db?host=127.0.0.1",
    "u:p@/db?host=db:5432&host=10.0.0.2:5432",
    "u:p@/db?host=db,10.0.0.2&port=5432,5433",
    f"u:p@/db?host={PUBLIC}&ssl=verify-full",
    f"u:p@/db?host=db,{PUBLIC}&port=5432,5432&ssl=verify-full",
    "u:p@[2001:db8::1]:5433/db?ssl=verify-full",
]


@pytest.mark.parametrize("url", NEAR_DATABASES)
def test_h21_a_database_nearby_or_verified_is_accepted(tmp_path, url):
    given = {"DATABASE_URL": f"postgresql+asyncpg://{url}", "SECRET_KEY": SECRET}

    assert load_from(tmp_path, ENVIRONMENT="production", **given)


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    "option",
    [
        f"dsn=postgresql://u:p@{PUBLIC}/db",
        f"hostaddr={PUBLIC}",
        "service=elsewhere",
        "servicefile=/etc/services",
        "sslmode=disable&ssl=verify-full",
        "plugin=x",
        "async_creator_fn=x",
        "password=postgres",
    ],
)
def test_an_option_that_changes_where_a_database_is_stops_the_start(tmp_path, option, environment):
    given = {"DATABASE_URL": f"postgresql+asyncpg://u:p@/db?{option}", "SECRET_KEY": SECRET}

    with pytest.raises(SettingsError, match=r"GOODWORD_DATABASE_URL (takes no|does not take the) option"):
        load_from(tmp_path, ENVIRONMENT=environment, **given)


@pytest.mark.parametrize(
    "url", ["u:p@/db?host=a,b&port=1", "u:p@/db?host=a,b", "u:p@/db?port=x", "u:p@a:x/db"]
)
def test_a_database_url_that_cannot_be_read_stops_the_start(tmp_path, url):
    with pytest.raises(SettingsError, match="GOODWORD_DATABASE_URL"):
        load_from(tmp_path, DATABASE_URL=f"postgresql+asyncpg://{url}", SECRET_KEY=SECRET)


@pytest.mark.parametrize("url", FAR_DATABASES + NEAR_DATABASES)
def test_h21_what_production_lets_pass_is_near_or_verified_for_the_driver(tmp_path, monkeypatch, url):
    """The addresses and the TLS that SQLAlchemy and asyncpg themselves make of each URL."""
    _, trusted = self_made_certificate(tmp_path)
    monkeypatch.setenv("PGSSLROOTCERT", str(trusted))
    whole = f"postgresql+asyncpg://{url}"
    try:
        load_from(tmp_path, ENVIRONMENT="production", DATABASE_URL=whole, SECRET_KEY=SECRET)
    except SettingsError:
        return
    _, options = PGDialect_asyncpg().create_connect_args(make_url(whole))
    places, parameters = dialled(**options)

    hosts = [place[0] for place in places if isinstance(place, tuple)]
    is_far = any(PUBLIC in host or "2001:db8" in host for host in hosts)
    assert not is_far or (parameters.ssl.check_hostname and parameters.ssl.verify_mode == ssl.CERT_REQUIRED)


def dialled(**options):
    """Where asyncpg connects to, and how. It has no public name for this."""
    nothing = dict.fromkeys(inspect.signature(connect_utils._parse_connect_dsn_and_args).parameters)
    return connect_utils._parse_connect_dsn_and_args(**{**nothing, **options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"redis://{PUBLIC}"),
        ("REDIS_URL", "redis://203%2E0%2E113%2E5"),
        ("REDIS_URL", "redis://cache%2Eexample%2Ecom"),
        ("REDIS_URL", "redis://[2001:db8::1]"),
        ("REDIS_URL", "redis://3405803781"),
        ("REDIS_URL", "redis://203。0。113。5"),
        ("REDIS_URL", f"redis+sentinel://cache,{PUBLIC}:26379/group"),
        ("SMTP_URL", f"smtp://{PUBLIC}?tls=off"),
        ("SMTP_URL", "smtp://0xcb007105?tls=off"),
        ("PUBLIC_URL", f"http://{PUBLIC}"),
        ("PUBLIC_URL", "http://203%2E0%2E113%2E5"),
        ("PUBLIC_URL", "http://3405803781"),
        ("CORS_ORIGINS", "http://3405803781"),
        ("HUNTER_URL", "http://3405803781"),
        ("CLEARBIT_URL", "http://[2001:db8::1]"),
    ],
)
def test_h21_an_address_elsewhere_is_known_however_it_is_written(tmp_path, name, value):
    beside = {"HUNTER_URL": "HUNTER_API_KEY", "CLEARBIT_URL": "CLEARBIT_API_KEY"}
    given = {name: value} | ({beside[name]: "x"} if name in beside else {})

    load_from(tmp_path, **given)
    with pytest.raises(SettingsError, match=f"GOODWORD_{name}"):
        load_from(tmp_path, ENVIRONMENT="production", **given)
