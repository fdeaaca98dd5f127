"""The engine's modules as they are on a machine without numba."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

MODULES = (
    "matching.kernel",
    "agents.strategies.pricing",
    "simulation.engine.auction",
    "simulation.engine.slot",
    "simulation.engine.slots",
    "simulation.results",
    "simulation.origins",
)


def engine() -> SimpleNamespace:
    """The modules that tests call, as imported by everybody else."""
    return _named({name: importlib.import_module(name) for name in MODULES})


def plain_engine() -> SimpleNamespace:
    """The same modules, imported once more with numba out of reach."""
    compiled = engine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        for name in MODULES:
            package, _, module = name.rpartition(".")
            patch.setattr(sys.modules[package], module, getattr(compiled, module))  # put back at the end
            patch.delitem(sys.modules, name)
        return _named({name: importlib.import_module(name) for name in MODULES})


def _named(modules: dict[str, ModuleType]) -> SimpleNamespace:
    return SimpleNamespace(**{name.rsplit(".", 1)[1]: module for name, module in modules.items()})
