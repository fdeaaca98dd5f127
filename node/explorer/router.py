"""`/v1/chain`: the explorer over HTTP."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query

from ledger.hexcodec import from_data
from node.api.fields import Address, Hash
from node.explorer.explorer import Explorer
from node.explorer.views import AddressView, Blocks, BlockView, TransactionView
from node.problems import RequestError

MAX_LIMIT = 100
HASH_BYTES = 32
_MAX_DIGITS = 18

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of a page.")]
Before = Annotated[
    int | None, Query(ge=0, description="Only what is in blocks below this number: the `next` of the page before.")
]


def create_router(explorer: Callable[[], Explorer]) -> APIRouter:
    """The explorer's resources, to be included under `/v1`; `explorer` is asked for one for each request."""
    router = APIRouter(prefix="/chain", tags=["chain"])

    @router.get("/blocks")
    def list_blocks(*, before: Before = None, limit: Limit = 20) -> Blocks:
        """The newest blocks, with the functions that their transactions called."""
        return explorer().blocks(before=before, limit=limit)

    @router.get("/blocks/{block}")
    def read_block(block: Annotated[str, Path(description="Its number or its hash.")]) -> BlockView:
        """A block."""
        found = explorer().block(_number_or_hash(block))
        if found is None:
            raise RequestError(f"block is {block}: the chain has no such block", code="request.not_found")
        return found

    @router.get("/transactions/{transaction}")
    def read_transaction(transaction: Hash) -> TransactionView:
        """A transaction, its call and its events decoded, and why it failed if it did."""
        found = explorer().transaction(transaction)
        if found is None:
            raise RequestError(
                f"transaction is 0x{transaction.hex()}: the chain does not know it", code="request.not_found"
            )
        return found

    @router.get("/addresses/{address}")
    def read_address(address: Address, *, before: Before = None, limit: Limit = 50) -> AddressView:
        """An address: balance, which contract it is, and its latest events."""
        return explorer().address(address, before=before, limit=limit)

    return router


def _number_or_hash(text: str) -> int | bytes:
    """A block's number or its hash.

    Raises:
        RequestError: it is neither.
    """
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    try:
        block_hash = from_data(text)
    except ValueError:
        block_hash = b""
    if len(block_hash) != HASH_BYTES:
        raise RequestError(
            f"block is {text!r:.80}: must be a number, or 0x and 64 hexadecimal digits", field="block"
        )
    return block_hash
