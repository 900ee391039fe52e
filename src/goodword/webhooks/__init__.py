"""Webhooks: tell the servers of a product what happened, by signed requests that are sent at least once."""
