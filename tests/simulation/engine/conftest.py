from types import SimpleNamespace

import pytest

from tests.simulation.engine.plain import engine, plain_engine


@pytest.fixture(params=["compiled", "plain"], scope="session")
def fast(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The engine's modules, once as compiled and once as plain Python."""
    return engine() if request.param == "compiled" else plain_engine()
