"""Measuring on the embedded chain beside anvil."""

from collections.abc import Callable

from tests.anvil import installed
from tests.chains import ANVIL, EMBEDDED


def on_both_chains(measure: Callable[[str], None]) -> None:
    """Measure one kind of chain after the other; anvil only where it is installed."""
    measure(EMBEDDED)
    if installed():
        measure(ANVIL)
    else:
        print("anvil is not installed: 'make anvil'")
