"""`wattbook restored`: what PostgreSQL's own tools do not say to who follows events."""

from typing import Annotated

import typer

from matching.errors import WattbookError
from node.cli.common import fail, store_option


def restored(
    *,
    store: Annotated[
        str,
        store_option("The PostgreSQL database that was put back."),
    ],
) -> None:
    """Let who follows events read anew, after a store in PostgreSQL was put back and before its nodes start.

    `wattbook restore` and `wattbook rebuild` do so by themselves.
    """
    from node.restoring import tell_restored

    try:
        tell_restored(store)
    except WattbookError as error:
        fail(error)
    typer.echo("Whoever follows events will read anew. Now start the nodes.")
