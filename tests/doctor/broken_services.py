"""Breaks of the servers that an installation uses and of the address that it has, by check."""

from doctor.patient import Patient
from doctor.sites import ALIVE, old_redis, site
from mail_server import mail_server, password_of, self_made_certificate
from serving import free_port

NOWHERE = 1


async def no_cache(patient: Patient) -> None:
    patient.settings["REDIS_URL"] = f"redis://127.0.0.1:{NOWHERE}/0"


async def wrong_password_of_the_cache(patient: Patient) -> None:
    patient.redis.execute_command("ACL", "SETUSER", "goodword", "on", ">right", "~*", "+@all")
    patient.held.callback(patient.redis.execute_command, "ACL", "DELUSER", "goodword")
    patient.settings["REDIS_URL"] = patient.settings["REDIS_URL"].replace("//", "//goodword:wrong@")


async def cache_without_replicas(patient: Patient) -> None:
    patient.redis.config_set("min-replicas-to-write", 1)
    patient.held.callback(patient.redis.config_set, "min-replicas-to-write", 0)


async def cache_that_fills_up(patient: Patient) -> None:
    patient.redis.config_set("maxmemory", "100mb")
    patient.held.callback(patient.redis.config_set, "maxmemory", 0)


async def old_cache(patient: Patient) -> None:
    port = patient.held.enter_context(old_redis())
    patient.settings["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"


async def no_mail_server(patient: Patient) -> None:
    patient.settings["SMTP_URL"] = f"smtp://127.0.0.1:{NOWHERE}"


async def no_starttls(patient: Patient) -> None:
    patient.settings["SMTP_URL"] = f"smtp://127.0.0.1:{patient.mail.port}"


async def unknown_certificate_of_the_mail_server(patient: Patient) -> None:
    tls, _ = self_made_certificate(patient.folder)
    server = patient.held.enter_context(mail_server(tls=tls))
    patient.settings["SMTP_URL"] = f"smtp://127.0.0.1:{server.port}"


async def wrong_password_of_the_mail_server(patient: Patient) -> None:
    tls, trusted = self_made_certificate(patient.folder)
    patient.environment.setenv("SSL_CERT_FILE", str(trusted))
    server = patient.held.enter_context(mail_server(tls=tls, authenticator=password_of("goodword", "right")))
    patient.settings["SMTP_URL"] = f"smtp://goodword:wrong@127.0.0.1:{server.port}"


async def sender_refused(patient: Patient) -> None:
    patient.mail.on_sender = "553 not yours"


async def hunter_refuses(patient: Patient) -> None:
    port = patient.held.enter_context(site(b"{}", status=401))
    patient.settings |= {"HUNTER_API_KEY": "wrong", "HUNTER_URL": f"http://127.0.0.1:{port}"}


async def hunter_is_silent(patient: Patient) -> None:
    patient.settings |= {"HUNTER_API_KEY": "right", "HUNTER_URL": f"http://127.0.0.1:{NOWHERE}"}


async def other_issuer(patient: Patient) -> None:
    port = patient.held.enter_context(site(b'{"issuer": "https://other.example"}'))
    patient.settings |= {"OIDC_ISSUER": f"http://127.0.0.1:{port}"}
    patient.settings |= {"OIDC_CLIENT_ID": "goodword", "OIDC_CLIENT_SECRET": "secret"}


async def no_collector(patient: Patient) -> None:
    patient.settings["OTLP_ENDPOINT"] = f"http://127.0.0.1:{NOWHERE}"


async def unknown_name(patient: Patient) -> None:
    patient.settings["PUBLIC_URL"] = "http://goodword.invalid"


async def stopped_service(patient: Patient) -> None:
    patient.settings["PUBLIC_URL"] = f"http://127.0.0.1:{free_port()}"


async def other_program(patient: Patient) -> None:
    port = patient.held.enter_context(site(b"<h1>It works!</h1>"))
    patient.settings["PUBLIC_URL"] = f"http://127.0.0.1:{port}"


def served_by_tls(patient: Patient, *, days: int) -> None:
    tls, trusted = self_made_certificate(patient.folder, days=days)
    patient.environment.setenv("SSL_CERT_FILE", str(trusted))
    port = patient.held.enter_context(site(ALIVE, tls=tls))
    patient.settings["PUBLIC_URL"] = f"https://127.0.0.1:{port}"
    patient.settings |= {"ENVIRONMENT": "production", "TRUSTED_PROXIES": "127.0.0.1"}


async def certificate_that_ends(patient: Patient) -> None:
    served_by_tls(patient, days=9)


async def certificate_that_is_unknown(patient: Patient) -> None:
    served_by_tls(patient, days=90)
    patient.environment.delenv("SSL_CERT_FILE")


async def proxy_that_is_not_trusted(patient: Patient) -> None:
    served_by_tls(patient, days=90)
    del patient.settings["TRUSTED_PROXIES"]


async def development_with_tls(patient: Patient) -> None:
    served_by_tls(patient, days=90)
    del patient.settings["ENVIRONMENT"]


IN_PRODUCTION = ("public-address",)
CASES = [
    ("cache-reachable", (), no_cache),
    ("cache-access", (), wrong_password_of_the_cache),
    ("cache-writable", (), cache_without_replicas),
    ("cache-memory", (), cache_that_fills_up),
    ("cache-version", (), old_cache),
    ("mail-reachable", (), no_mail_server),
    ("mail-tls", (), no_starttls),
    ("mail-tls", (), unknown_certificate_of_the_mail_server),
    ("mail-login", (), wrong_password_of_the_mail_server),
    ("mail-sender", (), sender_refused),
    ("hunter-key", (), hunter_refuses),
    ("hunter-key", (), hunter_is_silent),
    ("sign-in-providers", (), other_issuer),
    ("traces", (), no_collector),
    ("public-name", (), unknown_name),
    ("public-answer", (), other_program),
    ("public-answer", (), stopped_service),
    ("public-certificate", IN_PRODUCTION, certificate_that_ends),
    ("public-certificate", IN_PRODUCTION, certificate_that_is_unknown),
    ("trusted-proxies", IN_PRODUCTION, proxy_that_is_not_trusted),
    ("environment", (), development_with_tls),
]
