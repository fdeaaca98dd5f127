"""Members in debt, and what they hold, for the tests of the escrow."""

from ledger.batches import MemberReading
from ledger.deployment import WITHDRAWAL_NOTICE_S as NOTICE_S
from tests.contracts.fills import ESCROW
from tests.world import SLOT, TARIFF, World

__all__ = ["ESCROW", "LEAST_DEBT", "NOTICE_S", "deliver_consumption", "run_into_debt", "tokens"]

LEAST_DEBT = -ESCROW % TARIFF.retail_price  # what the last Wh costs beyond the escrow


def tokens(world: World, account: bytes) -> int:
    amount: int = world.contracts.credit.read("balanceOf", account)
    return amount


def run_into_debt(world: World, member: int, debt: int) -> None:
    """Let the member take more from the utility than its whole escrow covers, by `debt` nano-credits."""
    state = world.read("account_of", world.members[member].address)
    consumption_wh, rest = divmod(state["balance"] + debt, TARIFF.retail_price)
    assert rest == 0
    deliver_consumption(world, SLOT, {member: consumption_wh})


def deliver_consumption(world: World, slot: int, consumption_wh: dict[int, int]) -> None:
    world.commit(slot)
    world.settle([], slot=slot)
    readings = [
        MemberReading(key.address, consumption_wh.get(member, 0), 0) for member, key in enumerate(world.members)
    ]
    world.deliver(readings, slot=slot)
