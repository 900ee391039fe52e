"""A browser on the pages."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from asgi import client_of
from third_party import Browser


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browser]:
    async with client_of(app) as client:
        yield Browser(client)
