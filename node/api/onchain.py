"""Where on chain something was settled."""

from pydantic import BaseModel

from ledger.intents import IntentRecord
from node.api.fields import Hash


class OnChain(BaseModel):
    """The transaction that did it, and its block."""

    transaction: Hash
    block: int


def on_chain(record: IntentRecord | None) -> OnChain | None:
    """The whereabouts of a confirmed intent; None if there is none (yet)."""
    if record is None or record.block_number is None:
        return None
    return OnChain(transaction=record.intent.transaction_hash, block=record.block_number)
