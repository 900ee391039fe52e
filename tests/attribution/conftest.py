"""The world of a history."""

import pytest

from attribution.world import build


@pytest.fixture
def world(app):
    return lambda history: build(app, history)
