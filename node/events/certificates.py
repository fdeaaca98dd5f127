"""Tells of every move of certificates, from the chain's own events: issuance, transfer, retirement, withdrawal."""

from collections.abc import Iterator

import structlog

from ledger.certificates.ids import CertificateId
from ledger.certificates.occurrences import ChangedChainError, Occurrence, occurrences
from ledger.chain import ZERO_ADDRESS
from ledger.deployment import Contracts
from ledger.hexcodec import to_data, to_quantity
from node.store import Store
from node.store.telling import Event, EventKind

KEPT_EVENTS = 1_000_000
"""How many events are kept; whoever was away for longer reads the resources anew."""

_MOST_AT_ONCE = 1_000

log = structlog.get_logger(__name__)


class CertificateTelling:
    """Follows the chain for as long as somebody calls `tell`. One at a time.

    Blocks are told of once they are final, so that no move is told of that a re-organisation takes back. How far
    it is, is in the store with what was told: it misses nothing and repeats nothing, whatever is killed.

    Args:
        store: where events are kept.
        contracts: where certificates move.
        confirmations: how many blocks on top of one make it final.
    """

    def __init__(self, store: Store, contracts: Contracts, *, confirmations: int) -> None:
        self._store = store
        self._contracts = contracts
        self._confirmations = confirmations

    def tell(self) -> None:
        """Tell of all moves up to the last final block, and forget what is too old.

        Raises:
            ChainUnavailableError: the chain is out of reach.
            StoreConflictError: another node tells of them.
        """
        told = self._store.certificates_told()
        final = self._contracts.certificates.chain.head().number - self._confirmations
        if final <= told:
            return
        moves: list[Event] = []
        last = told
        try:
            for occurrence in occurrences(self._contracts, told + 1, final):
                # Only whole blocks, as what is told is told up to a block.
                if occurrence.point.block > last and len(moves) >= _MOST_AT_ONCE:
                    self._store.tell_certificates(moves, after=told, block=last)
                    told, moves = last, []
                last = occurrence.point.block
                moves += _moves(occurrence)
        except ChangedChainError as error:
            log.info("certificates are told of later", reason=str(error))
            return
        self._store.tell_certificates(moves, after=told, block=final)
        self._store.prune_events(keep=KEPT_EVENTS)


def moves_in(contracts: Contracts, first_block: int, last_block: int) -> Iterator[Event]:
    """What is to be told of these blocks.

    Raises:
        ChangedChainError: a block that was read is no longer there.
        ChainUnavailableError: the chain is out of reach.
    """
    for occurrence in occurrences(contracts, first_block, last_block):
        yield from _moves(occurrence)


def _moves(occurrence: Occurrence) -> Iterator[Event]:
    arguments = occurrence.event.arguments
    match occurrence.event.name:
        case "TransferSingle":
            parts = [(arguments["_id"], arguments["_value"])]
        case "TransferBatch":
            parts = list(zip(arguments["_ids"], arguments["_values"], strict=True))
        case _:
            return
    giver, taker = (_account(arguments[name]) for name in ("_from", "_to"))
    for token_id, amount_wh in parts:
        certificate = CertificateId.of(token_id)
        details = {
            "certificate": to_quantity(token_id),
            "certificate_kind": certificate.kind.name.lower(),
            "device": str(certificate.device),
            "amount_wh": amount_wh,
            "transaction": to_data(occurrence.point.transaction),
            "block": occurrence.point.block,
        }
        yield Event(EventKind.CERTIFICATE_MOVED, certificate.slot, giver, taker, details)


def _account(address: bytes) -> bytes | None:
    """Nobody, if certificates come into being or are used up."""
    return None if address == ZERO_ADDRESS else address
