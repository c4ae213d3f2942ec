"""A network of the demo's shape at work on a picture of shapes."""

from __future__ import annotations

import pytest

from minifcn.explore.session import Session
from minifcn.layers import Layer
from support import explored


@pytest.fixture(scope="session")
def demo_net() -> Layer:
    return explored.demo_net()


@pytest.fixture
def session(demo_net) -> Session:
    return explored.demo_session(demo_net)
