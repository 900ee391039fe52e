"""Goodword: a self-hosted referral service. Start reading at `app.py`."""

from importlib.metadata import version

__version__ = version("goodword")
