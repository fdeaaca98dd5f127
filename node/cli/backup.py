"""`wattbook backup` and `wattbook restore`: a node's data folder, copied while it runs, and put back."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matching.errors import WattbookError
from node.cli.common import AsJson, fail, print_json

if TYPE_CHECKING:
    from node.sealed_folders import FileEntry


def backup(
    *,
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder for the copy.")],
    data: Annotated[Path, typer.Option(help="The node's data folder.")] = Path("var/node"),
    json: AsJson = False,
) -> None:
    """Copy a node's store, chain and keys as they are at one moment, while it runs or not."""
    from node.backup import back_up

    try:
        _tell(back_up(data, to, made_at=int(time.time())), to, json=json)
    except (WattbookError, OSError) as error:
        fail(error)


def restore(
    *,
    source: Annotated[Path, typer.Option("--from", help="A folder that 'wattbook backup' made.")],
    data: Annotated[Path, typer.Option(help="A new or empty data folder.")] = Path("var/node"),
    json: AsJson = False,
) -> None:
    """Put a backup into a new data folder, from which a node then goes on. The old node must never run again."""
    from node.backup import restore as put_back

    try:
        _tell(put_back(source, data), data, json=json)
    except (WattbookError, OSError) as error:
        fail(error)


def _tell(files: "dict[str, FileEntry]", folder: Path, *, json: bool) -> None:
    size = sum(entry.bytes for entry in files.values())
    if json:
        print_json({"folder": str(folder), "files": len(files), "bytes": size})
    else:
        typer.echo(f"{len(files)} files, {size / 2**20:.1f} MiB, in {folder}")
