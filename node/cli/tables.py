"""Tables that fit a terminal of 80 columns, which is also what a file or a pipe is taken for."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

_WIDTH = 80
_DIGITS = 8


def console() -> Console:
    """What tables are printed to: as wide as the terminal is, if it is one."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDTH)


def table(title: str, words: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    """An empty table without lines between its columns: first those of words, then those of numbers."""
    empty = Table(*words, title=title, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in numbers:
        empty.add_column(name, justify="right")
    return empty


def short(data: bytes) -> str:
    """An address or a hash by its first digits; whole ones are in what programs get."""
    return f"0x{data.hex()[:_DIGITS]}…"


def party(address: bytes, own: bytes | None) -> str:
    """An account; `own` is told as such."""
    return "you" if address == own else short(address)
