"""The energy tokens: an ERC-1155 view of positions between settlement and delivery."""

import pytest

from ledger.abi import interface
from ledger.batches import FilledOrder, MemberReading
from ledger.transactions import build
from tests.world import MARKET, SLOT, TERMS, World, refused

PRICE = 150_000


@pytest.fixture
def traded(world: World) -> World:
    """Member 0 bought 100 Wh, of which member 1 sold 60 and member 2 sold 40."""
    world.commit()
    fills = [(world.bid(0, 100, PRICE), 100), (world.offer(1, 60, PRICE), 60), (world.offer(2, 40, PRICE), 40)]
    world.settle([FilledOrder(signed, wh) for signed, wh in fills])
    return world


def column(world: World, function: str, slot: int = SLOT) -> list[int]:
    return [world.contracts.energy.read(function, key.address, slot) for key in world.members]


def test_buyers_hold_tokens_and_sellers_owe_energy(traded: World) -> None:
    assert column(traded, "balanceOf") == [100, 0, 0, 0]
    assert column(traded, "obligation_of") == [0, 60, 40, 0]


def test_each_members_tokens_and_obligations_end_with_its_delivery(traded: World) -> None:
    readings = sorted((MemberReading(key.address, 0, 0) for key in traded.members), key=lambda r: r.account)
    traded.deliver(readings[:2])
    done = {reading.account for reading in readings[:2]}
    pending = [key.address not in done for key in traded.members]
    assert column(traded, "balanceOf") == [100 * pending[0], 0, 0, 0]
    assert column(traded, "obligation_of") == [0, 60 * pending[1], 40 * pending[2], 0]
    traded.deliver(readings[2:])
    assert column(traded, "balanceOf") == column(traded, "obligation_of") == [0] * 4


def test_nothing_is_held_in_an_open_a_voided_or_no_slot(traded: World) -> None:
    traded.at(SLOT + 900 + TERMS.settle_within_s + 1)
    traded.act(traded.strangers[0], "void", MARKET, SLOT + 900)
    for slot in (SLOT - 900, SLOT + 1, SLOT + 900, SLOT + 1_800, 0, 2**256 - 1):
        assert column(traded, "balanceOf", slot) == column(traded, "obligation_of", slot) == [0] * 4


def test_a_stranger_holds_and_owes_nothing(traded: World) -> None:
    for function in ("balanceOf", "obligation_of"):
        assert traded.contracts.energy.read(function, traded.strangers[0].address, SLOT) == 0
        assert traded.contracts.energy.read(function, bytes(20), SLOT) == 0


def test_balances_can_be_read_in_a_batch(traded: World) -> None:
    owners = [key.address for key in traded.members]
    energy = traded.contracts.energy
    assert list(energy.read("balanceOfBatch", owners, [SLOT, SLOT, SLOT, SLOT + 900])) == [100, 0, 0, 0]
    assert list(energy.read("balanceOfBatch", [owners[0]] * 2, [SLOT + 900, SLOT])) == [0, 100]
    assert list(energy.read("balanceOfBatch", [], [])) == []


def test_a_batch_names_as_many_owners_as_tokens(traded: World) -> None:
    with refused("energy: lengths"):
        traded.contracts.energy.read("balanceOfBatch", [traded.members[0].address], [SLOT, SLOT])


@pytest.mark.parametrize("function", ["safeTransferFrom", "safeBatchTransferFrom", "setApprovalForAll"])
def test_energy_is_not_transferable(traded: World, function: str) -> None:
    owner, to = traded.members[0], traded.members[3].address
    arguments = {
        "safeTransferFrom": (owner.address, to, SLOT, 1, b""),
        "safeBatchTransferFrom": (owner.address, to, [SLOT], [1], b""),
        "setApprovalForAll": (to, True),
    }
    with refused("energy: not transferable"):
        traded.send(owner, traded.contracts.energy, function, *arguments[function])
    assert not traded.contracts.energy.read("isApprovedForAll", owner.address, to)


def test_the_view_names_its_exchange_and_its_interfaces(world: World) -> None:
    energy = world.contracts.energy
    assert energy.read("exchange") == world.exchange.address
    supported = {"01ffc9a7": True, "d9b67a26": True, "ffffffff": False, "0e89341c": False}
    found = {number: energy.read("supportsInterface", bytes.fromhex(number)) for number in supported}
    assert found == supported


def test_a_view_of_no_exchange_is_not_deployed(world: World) -> None:
    with refused("energy: exchange"):
        build(world.chain, world.strangers[0], to=None, data=interface("energy").creation(bytes(20)))
