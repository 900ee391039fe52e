"""Backups: one file with the database and, if wanted, the secret key, and how to restore it."""
