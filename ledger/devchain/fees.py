"""What past blocks asked and paid for gas, from which clients guess what the next one will ask."""

from dataclasses import dataclass

from ledger.devchain.chain import DevChain
from ledger.devchain.records import BlockRecord


@dataclass(frozen=True, slots=True)
class FeeHistory:
    """Gas and its prices by block, oldest first.

    Attributes:
        base_fees_wei: base fees per gas; one more than there are blocks, the last being that of the block after.
        gas_used_ratios: gas used, as a share of the block's gas limit.
        tips_wei: what the block's transaction paid per gas above the base fee; 0 for a block without one.
    """

    base_fees_wei: list[int]
    gas_used_ratios: list[float]
    tips_wei: list[int]


def fee_history(chain: DevChain, oldest: int, newest: int) -> FeeHistory:
    """The fees in blocks `oldest` to `newest`, both included; blocks that are not there are left out."""
    numbers = range(oldest, newest + 1)
    records = [record for number in numbers if (record := chain.record(number)) is not None]
    following = chain.record(newest + 1)
    next_fee_wei = chain.next_base_fee_wei() if following is None else following.base_fee_wei
    return FeeHistory(
        base_fees_wei=[record.base_fee_wei for record in records] + [next_fee_wei],
        gas_used_ratios=[record.header.gas_used / record.header.gas_limit for record in records],
        tips_wei=[_tip_wei(record) for record in records],
    )


def _tip_wei(record: BlockRecord) -> int:
    if record.mined is None:
        return 0
    return record.effective_gas_price_wei(record.mined.decode()) - record.base_fee_wei
