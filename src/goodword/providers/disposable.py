"""Domains of disposable mailboxes, from a list."""

NAME = "disposable-email-domains"


def is_disposable(email_key: str) -> bool:
    """Return whether the domain of an address or a parent domain is on the list."""
    from disposable_email_domains import blocklist  # reads ten thousand names, so import it when needed

    labels = email_key.rpartition("@")[2].split(".")
    return any(".".join(labels[n:]) in blocklist for n in range(len(labels) - 1))
