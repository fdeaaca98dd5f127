"""Rules about time, shown by a chain whose blocks claim to be earlier or later than they are."""

from dataclasses import replace

import pytest

from ledger.audit.run import audit
from ledger.chain import Block
from tests.ledger.audit.test_audit import LyingChain, rules, trade_a_slot
from tests.world import World

DAY_S = 86_400


class ShiftedChain(LyingChain):
    """A chain whose blocks have other times."""

    def __init__(self, world: World, shift_s: int) -> None:
        super().__init__(world)
        self._shift_s = shift_s

    def block(self, number: int) -> Block | None:
        found: Block | None = self._chain.block(number)
        return found and replace(found, timestamp=found.timestamp + self._shift_s)


@pytest.mark.parametrize(
    ("shift_s", "broken"),
    [
        (0, set()),
        (-DAY_S, {"book.gate", "deliver.over"}),
        (2**25, {"book.time", "settle.time"}),  # later than any market's time to settle
    ],
)
def test_steps_outside_their_time_are_found(world: World, shift_s: int, broken: set[str]) -> None:
    trade_a_slot(world)
    chain = ShiftedChain(world, shift_s)
    found = rules(audit(chain, world.exchange.address))  # type: ignore[arg-type]
    assert broken == found & {"book.gate", "deliver.over", "book.time", "settle.time"}
