"""What `wattbook simulate` and `wattbook sweep` share: options, and the way to the optional packages they need."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from matching.errors import WattbookError
from node.cli.common import fail

VariantNames = Annotated[
    list[str] | None, typer.Option("--variant", help="Only this variant; may be repeated. All if not given.")
]
FirstDay = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First local day; the scenario's first if not given."),
]
Days = Annotated[int | None, typer.Option("--days", min=1, help="How many days; all that there are if not given.")]


@contextmanager
def simulating() -> Iterator[None]:
    """Inside, whatever is refused, or missing, ends the command with one line."""
    try:
        yield
    except ImportError as error:
        fail(f"simulation needs the package {error.name}: pip install 'wattbook[simulation]'")
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    except (WattbookError, OSError) as error:
        fail(error)


def assignment(text: str) -> tuple[str, str]:
    """Path and value of a setting such as `utility.grid_fee=20000`."""
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise typer.BadParameter(f"'{text}' must be path=value", param_hint="--set")
    return path, value


def progress_bar() -> Progress:
    """A bar on standard error, if that is a terminal; gone when it is done."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
