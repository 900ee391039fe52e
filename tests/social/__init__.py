"""Sign-in with outside identities."""
