"""Shared stores that their database's own tools put back, so that no node noticed."""

from contextlib import closing

from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.datadir import Deployment
from node.store import Store
from node.store.beginning import beginning, holds_store
from node.store.engines import shown_store


class NothingRestoredError(WattbookError):
    """The database that was put back holds no market."""

    code = "restored.nothing"


def tell_restored(url: str) -> None:
    """Let those who follow a shared store's events know that some that they have seen may never have happened.

    No number that the store gave before comes again afterwards. An older store becomes one of today.

    Raises:
        NothingRestoredError: there is no market in the database.
        ForeignStoreError: the store is of a version that is not understood.
        StoreUnavailableError: the database does not answer.
        StoreUrlError: the URL names no database that could be used.
    """
    text = None
    if holds_store(url):
        with beginning(url) as shared:
            text = shared.whereabouts()
    if text is None:
        raise NothingRestoredError(f"{shown_store(url)} holds no market: name the database that was put back")
    deployment = Deployment.decoded(text, shown_store(url))
    domain = Domain(deployment.chain_id, deployment.exchange)
    with closing(Store(url, domain=domain, market=deployment.market)) as store:
        store.tell_restored()
