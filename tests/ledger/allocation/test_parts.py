"""What one certification can carry: slots that fit, slots that do not, and none that is stuck."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.allocation import Allocation, Consumption, Issuance, Match, Move, SlotPart, allocate, parts, parts_of
from ledger.devices import DeviceKind
from tests.ledger.allocation.slots import (
    ANNA,
    BERT,
    CORA,
    Slot,
    account,
    charge,
    gas_of,
    generated,
    given_back,
    load,
    slots,
    trade,
)

ANNAS_CHARGE, BERTS_CHARGE = 201, 202
ANNAS_STORAGE, BERTS_STORAGE = 301, 302


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two issuances, three consumptions, three moves, four matches: parts without hundreds of devices."""
    _set_limits(monkeypatch, 2, 3, 3, 4)


def _set_limits(monkeypatch: pytest.MonkeyPatch, *limits: int) -> None:
    for name, limit in zip(("ISSUANCES", "CONSUMPTIONS", "MOVES", "MATCHES"), limits, strict=True):
        monkeypatch.setattr(parts, f"MAX_{name}", limit)


def cut(slot: Slot) -> list[SlotPart]:
    return parts_of(slot.issuances, slot.consumptions, allocate(slot.issuances, slot.consumptions, slot.trades))


def test_a_slot_of_any_community_is_one_part() -> None:
    slot = Slot(
        [generated(1, ANNA, 100), generated(2, BERT, 50)],
        [load(ANNA, 30), load(BERT, 20), load(CORA, 5)],
        [trade(0, ANNA, BERT, 60)],
    )
    (part,) = cut(slot)
    assert part.issuances == (slot.issuances[0], slot.issuances[1])
    assert part.matches == (Match(1, 101, 30), Match(2, 102, 20))
    assert part.moves == (Move(1, account(BERT), 60),)
    assert part.consumptions == (slot.consumptions[0], slot.consumptions[1])


def test_consumption_that_nothing_is_matched_with_does_not_go_on_chain() -> None:
    assert cut(Slot([], [load(ANNA, 30)], [])) == []


def test_what_charges_a_storage_goes_on_chain_always_as_it_becomes_a_lot_without_origin() -> None:
    assert cut(Slot([], [charge(ANNA, 30)], [])) == [SlotPart((), (charge(ANNA, 30),), (), ())]


def test_a_load_that_pays_a_debt_goes_on_chain_always() -> None:
    paying = Consumption(101, account(ANNA), DeviceKind.LOAD, 1, amount_wh=30, certified_wh=0)
    assert cut(Slot([], [paying], [])) == [SlotPart((), (paying,), (), ())]


def test_a_discharge_without_an_origin_goes_on_chain_as_it_takes_lots() -> None:
    nothing = given_back(ANNA, 30, certified_wh=0)
    assert cut(Slot([nothing], [], [])) == [SlotPart((nothing,), (), (), ())]


def test_the_contract_is_given_places_instead_of_devices() -> None:
    slot = Slot(
        [generated(7, ANNA, 100), generated(8, BERT, 50)],
        [load(ANNA, 30), load(BERT, 70)],
        [trade(0, ANNA, BERT, 60)],
    )
    (part,) = cut(slot)
    assert part.arguments() == (
        [(7, 100), (8, 50)],
        [(101, 30), (102, 70)],
        [(0, account(BERT), 40)],
        [(0, 0, 30), (0, 1, 20), (1, 1, 50)],
    )


@pytest.mark.usefixtures("limits")
def test_a_load_is_matched_in_one_part_only_as_its_owner_may_claim_the_rest_before_the_next_one() -> None:
    slot = Slot([generated(device, ANNA, 10) for device in (1, 2, 3)], [load(ANNA, 25)], [])
    first, second = cut(slot)
    assert first.arguments() == ([(1, 10), (2, 10)], [(101, 25)], [], [(0, 0, 10), (1, 0, 10)])
    assert second.arguments() == ([(3, 10)], [], [], [])


@pytest.mark.usefixtures("limits")
def test_a_load_is_matched_in_the_part_that_covers_most_of_it() -> None:
    seller, buyer = sorted((ANNA, BERT), key=account)  # the seller's devices come first
    slot = Slot(
        [generated(1, seller, 10), generated(2, seller, 1), generated(3, buyer, 11)],
        [load(buyer, 20)],
        [trade(0, seller, buyer, 10)],
    )
    first, second = cut(slot)
    assert (first.moves, first.matches) == ((Move(1, account(buyer), 10),), ())
    assert second.matches == (Match(3, 100 + buyer, 11),)


@pytest.mark.usefixtures("limits")
def test_what_charges_a_storage_is_matched_in_one_part_only() -> None:
    slot = Slot(
        [generated(device, owner, 10) for device, owner in ((1, ANNA), (2, ANNA), (3, BERT))],
        [charge(ANNA, 30)],
        [trade(0, BERT, ANNA, 10)],
    )
    pieces = cut(slot)
    charged = [part for part in pieces if part.matches]
    assert len(pieces) == 2
    assert len(charged) == 1
    # The buyer holds what could not be matched with it; the owner keeps its own.
    assert [move for part in pieces for move in part.moves] in ([], [Move(3, account(ANNA), 10)])


@pytest.mark.usefixtures("limits")
def test_a_storage_is_not_charged_in_a_part_before_its_discharge() -> None:
    issuances = [given_back(member, 10) for member in (ANNA, BERT, CORA)]
    last = max(issuances, key=lambda issuance: issuance.owner).device
    member = last - 300
    seller = ANNA if member != ANNA else BERT
    found = cut(Slot(issuances, [charge(member, 10)], [trade(0, seller, member, 10)]))
    assert [issuance.device for part in found for issuance in part.issuances][-1] == last
    # The certificates were bought in the part before, so they are held, and the lot has no origin.
    assert [len(part.matches) for part in found] == [0, 0]
    assert found[0].moves == (Move(300 + seller, account(member), 10),)
    assert found[1].consumptions == (charge(member, 10),)


def test_storages_that_discharge_and_are_charged_by_one_another_are_one_part() -> None:
    slot = Slot(
        [given_back(ANNA, 10), given_back(BERT, 10)],
        [charge(ANNA, 10), charge(BERT, 10)],
        [trade(0, ANNA, BERT, 10), trade(1, BERT, ANNA, 10)],
    )
    (part,) = cut(slot)
    assert part.matches == (Match(ANNAS_STORAGE, BERTS_CHARGE, 10), Match(BERTS_STORAGE, ANNAS_CHARGE, 10))


def test_generation_charges_a_storage_that_gives_something_in_the_same_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set_limits(monkeypatch, 1, 3, 3, 4)
    first, second = cut(Slot([generated(1, ANNA, 10), given_back(ANNA, 5)], [charge(ANNA, 10)], []))
    assert [issuance.device for issuance in first.issuances] == [ANNAS_STORAGE]
    assert second.matches == (Match(1, ANNAS_CHARGE, 10),)


ANNAS_AND_BERTS = [generated(1, ANNA, 10), generated(2, BERT, 10)]
TWO_LOADS_EACH = [load(member, 5, number=number) for member in (ANNA, BERT) for number in (0, 1)]
TWO_BUYERS_EACH = [
    trade(n, seller, buyer, 5) for n, (seller, buyer) in enumerate([(1, 3), (1, 4), (2, 3), (2, 4)])
]


@pytest.mark.parametrize(
    ("limits", "slot"),
    [
        ((9, 3, 9, 9), Slot(ANNAS_AND_BERTS, TWO_LOADS_EACH, [])),
        ((9, 9, 9, 3), Slot(ANNAS_AND_BERTS, TWO_LOADS_EACH, [])),
        ((9, 9, 3, 9), Slot(ANNAS_AND_BERTS, [], TWO_BUYERS_EACH)),
    ],
    ids=["consumptions", "matches", "moves"],
)
def test_what_has_no_room_in_a_part_goes_into_another(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, ...], slot: Slot
) -> None:
    allocation = allocate(slot.issuances, slot.consumptions, slot.trades)
    _set_limits(monkeypatch, *limits)
    found = cut(slot)
    assert len(found) == 2
    assert {move for part in found for move in part.moves} == set(allocation.moves)
    assert {match for part in found for match in part.matches} == set(allocation.matches)


def test_discharges_of_many_lots_need_more_parts() -> None:
    of_few = [given_back(member, 10, lots=1) for member in (ANNA, BERT)]
    of_many = [given_back(member, 10, lots=parts.PART_GAS // parts.LOT_GAS // 2) for member in (ANNA, BERT)]
    assert [len(cut(Slot(issuances, [], []))) for issuances in (of_few, of_many)] == [1, 2]


def test_a_full_part_may_still_refer_to_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_limits(monkeypatch, 2, 1, 1, 4)
    (part,) = cut(Slot([generated(device, ANNA, 10) for device in (1, 2)], [load(ANNA, 20)], []))
    assert part.matches == (Match(1, 101, 10), Match(2, 101, 10))
    # Bert's second load has no room, nor has another move; but a move to Bert is there.
    loads = [load(BERT, 5), load(BERT, 5, number=1)]
    (part,) = cut(Slot([generated(1, ANNA, 20)], loads, [trade(0, ANNA, BERT, 12)]))
    assert (part.matches, part.moves) == ((Match(1, 102, 5),), (Move(1, account(BERT), 7),))


def one_seller(buyers: int) -> tuple[list[Issuance], list[Consumption], Allocation]:
    """A device whose certificates go to the loads of many members, a Wh each."""
    owners = [number.to_bytes(20, "big") for number in range(1, buyers + 1)]
    numbered = enumerate(owners, start=1_001)
    loads = [Consumption(number, owner, DeviceKind.LOAD, 1, 2, 2) for number, owner in numbered]
    matches = tuple(Match(1, each.device, 1) for each in loads)
    return [generated(1, ANNA, buyers)], loads, Allocation(matches=matches)


def test_a_device_that_sells_to_more_members_than_a_part_holds_lets_the_others_hold_theirs() -> None:
    (part,) = parts_of(*one_seller(parts.MAX_CONSUMPTIONS + 3))
    assert len(part.consumptions) == len(part.matches) == parts.MAX_CONSUMPTIONS
    assert [int.from_bytes(move.account) for move in part.moves] == [
        parts.MAX_CONSUMPTIONS + number for number in (1, 2, 3)
    ]


def test_what_not_even_a_move_has_room_for_stays_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_limits(monkeypatch, 1, 2, 3, 4)
    (part,) = parts_of(*one_seller(7))
    assert (len(part.matches), len(part.moves)) == (2, 3)


def test_a_slot_of_three_hundred_homes_is_three_parts_that_lose_no_match() -> None:
    issuances: list[Issuance] = []
    loads: list[Consumption] = []
    for number in range(1, 301):
        owner = number.to_bytes(20, "big")
        issuances.append(Issuance(number, owner, DeviceKind.GENERATOR, 1, 10, 10))
        loads.append(Consumption(1_000 + number, owner, DeviceKind.LOAD, 1, 4, 4))
    found = parts_of(issuances, loads, allocate(issuances, loads, []))
    assert len(found) == 3
    assert all(gas_of(part) <= parts.PART_GAS for part in found)
    assert sum(match.amount_wh for part in found for match in part.matches) == 1_200


@settings(deadline=None)
@given(slots(), st.tuples(*[st.integers(1, 4)] * 4), st.integers(200_000, 500_000))
def test_any_slot_fits_parts_of_any_size(slot: Slot, limits: tuple[int, int, int, int], gas: int) -> None:
    allocation = allocate(slot.issuances, slot.consumptions, slot.trades)
    with pytest.MonkeyPatch.context() as monkeypatch:
        _set_limits(monkeypatch, *limits)
        monkeypatch.setattr(parts, "PART_GAS", gas)
        found = parts_of(slot.issuances, slot.consumptions, allocation)
    on_chain: dict[int, Consumption] = {}
    discharged: set[int] = set()
    for part in found:
        sizes = (len(part.issuances), len(part.consumptions), len(part.moves), len(part.matches))
        assert all(size <= limit for size, limit in zip(sizes, limits, strict=True))
        assert gas_of(part) <= gas
        here = {consumption.device for consumption in part.consumptions}
        assert not here & on_chain.keys()
        on_chain |= {consumption.device: consumption for consumption in part.consumptions}
        assert {match.consumption for match in part.matches} <= here
        issued = {issuance.device for issuance in part.issuances}
        assert {each.device for each in (*part.moves, *part.matches)} <= issued
        discharged |= issued
        storages = {each.storage for each in part.consumptions if each.kind is DeviceKind.CHARGE}
        assert storages & {issuance.device for issuance in slot.issuances} <= discharged
    # Everything is issued once, all charges are on chain, and what is matched was to be matched.
    issued_once = Counter(issuance for part in found for issuance in part.issuances)
    assert issued_once == Counter(slot.issuances)
    assert {each.device for each in slot.consumptions if each.kind is DeviceKind.CHARGE} <= on_chain.keys()
    wanted = {(match.device, match.consumption): match.amount_wh for match in allocation.matches}
    matched = {(match.device, match.consumption): match.amount_wh for part in found for match in part.matches}
    assert matched.items() <= wanted.items()


@given(slots())
def test_parts_that_are_large_enough_carry_the_whole_allocation(slot: Slot) -> None:
    allocation = allocate(slot.issuances, slot.consumptions, slot.trades)
    found = parts_of(slot.issuances, slot.consumptions, allocation)
    assert len(found) <= 1
    assert {move for part in found for move in part.moves} == set(allocation.moves)
    assert {match for part in found for match in part.matches} == set(allocation.matches)
