"""Domains whose mailboxes live for minutes, from a list: no service needs to be asked about them."""

NAME = "disposable-email-domains"


def is_disposable(email_key: str) -> bool:
    """Whether the domain of an address, or one above it, is on the list."""
    from disposable_email_domains import blocklist  # when first asked: it reads ten thousand names

    labels = email_key.rpartition("@")[2].split(".")
    return any(".".join(labels[n:]) in blocklist for n in range(len(labels) - 1))
