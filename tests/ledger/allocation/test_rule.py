"""Who gets the certificates of a slot: worked examples, and what holds for any slot."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.allocation import Allocation, BrokenAllocationError, Consumption, Issuance, Match, Move, allocate
from ledger.allocation.model import InvalidMeteringError, by_device, verified
from ledger.allocation.rule import pro_rata
from ledger.devices import DeviceKind
from ledger.trades import Trade
from tests.ledger.allocation.oracle import by_the_wh
from tests.ledger.allocation.slots import (
    ACCOUNTS,
    ANNA,
    BERT,
    BUNDLED,
    CORA,
    UNBUNDLED,
    Slot,
    account,
    charge,
    generated,
    given_back,
    load,
    slots,
    trade,
)

ANNAS_LOAD, BERTS_LOAD, CORAS_LOAD = 101, 102, 103
ANNAS_CHARGE, BERTS_CHARGE = 201, 202
ANNAS_STORAGE = 301


def allocated(
    issuances: list[Issuance], consumptions: list[Consumption], trades: list[Trade]
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Matches as (device, consuming device, Wh), and moves as (device, member, Wh)."""
    found = allocate(issuances, consumptions, trades)
    return (
        [(match.device, match.consumption, match.amount_wh) for match in found.matches],
        [(move.device, ACCOUNTS[move.account], move.amount_wh) for move in found.moves],
    )


# ------------------------------------------------------------------------------------- worked examples


def test_what_a_member_generates_and_consumes_itself_is_matched_for_it() -> None:
    assert allocated([generated(1, ANNA, 100)], [load(ANNA, 60)], []) == ([(1, ANNAS_LOAD, 60)], [])
    assert allocated([generated(1, ANNA, 100)], [load(ANNA, 160)], []) == ([(1, ANNAS_LOAD, 100)], [])


def test_what_is_neither_consumed_nor_sold_stays_with_the_producer() -> None:
    assert allocated([generated(1, ANNA, 100)], [], []) == ([], [])


def test_what_is_sold_is_matched_with_the_buyers_consumption() -> None:
    sold = trade(0, ANNA, BERT, 80)
    assert allocated([generated(1, ANNA, 100)], [load(BERT, 90)], [sold]) == ([(1, BERTS_LOAD, 80)], [])


def test_what_a_buyer_does_not_consume_it_holds() -> None:
    found = allocated([generated(1, ANNA, 100)], [load(BERT, 50)], [trade(0, ANNA, BERT, 80)])
    assert found == ([(1, BERTS_LOAD, 50)], [(1, BERT, 30)])


def test_a_buyers_own_generation_covers_its_consumption_first() -> None:
    issuances = [generated(1, ANNA, 100), generated(2, BERT, 30)]
    found = allocated(issuances, [load(BERT, 90)], [trade(0, ANNA, BERT, 80)])
    assert found == ([(2, BERTS_LOAD, 30), (1, BERTS_LOAD, 60)], [(1, BERT, 20)])


def test_loads_are_covered_in_ascending_order_of_their_numbers() -> None:
    loads = [load(BERT, 30, number=2), load(BERT, 20, number=1), load(BERT, 10)]
    found = allocated([generated(1, ANNA, 100)], loads, [trade(0, ANNA, BERT, 45)])
    assert found == ([(1, BERTS_LOAD, 10), (1, BERTS_LOAD + 10, 20), (1, BERTS_LOAD + 20, 15)], [])


def test_a_buyer_that_bundles_holds_what_it_bought() -> None:
    sold = trade(0, ANNA, BERT, 80, wanted=BUNDLED)
    assert allocated([generated(1, ANNA, 100)], [load(BERT, 90)], [sold]) == ([], [(1, BERT, 80)])


def test_a_seller_that_bundles_lets_its_buyer_decide() -> None:
    sold = trade(0, ANNA, BERT, 80, offered=BUNDLED)
    assert allocated([generated(1, ANNA, 100)], [load(BERT, 90)], [sold]) == ([(1, BERTS_LOAD, 80)], [])


def test_nothing_moves_if_either_side_asked_for_energy_alone() -> None:
    for sides in ({"offered": UNBUNDLED}, {"wanted": UNBUNDLED}, {"offered": UNBUNDLED, "wanted": UNBUNDLED}):
        sold = trade(0, ANNA, BERT, 80, **sides)
        assert allocated([generated(1, ANNA, 100)], [load(BERT, 90), charge(BERT, 90)], [sold]) == ([], [])


def test_the_share_of_energy_sold_alone_is_not_given_to_another_buyer() -> None:
    trades = [trade(0, ANNA, BERT, 50, wanted=UNBUNDLED), trade(1, ANNA, CORA, 50)]
    found = allocated([generated(1, ANNA, 60)], [load(BERT, 50), load(CORA, 50)], trades)
    assert found == ([(1, CORAS_LOAD, 30)], [])


def test_a_seller_that_fell_short_shares_what_it_has_in_proportion() -> None:
    trades = [trade(0, ANNA, BERT, 30), trade(1, ANNA, CORA, 60)]
    found = allocated([generated(1, ANNA, 45)], [load(BERT, 90), load(CORA, 90)], trades)
    assert found == ([(1, BERTS_LOAD, 15), (1, CORAS_LOAD, 30)], [])


def test_a_seller_that_consumed_what_it_sold_has_nothing_to_pass_on() -> None:
    found = allocated([generated(1, ANNA, 50)], [load(ANNA, 50), load(BERT, 50)], [trade(0, ANNA, BERT, 50)])
    assert found == ([(1, ANNAS_LOAD, 50)], [])


def test_a_seller_without_a_device_passes_nothing_on() -> None:
    assert allocated([generated(1, CORA, 50)], [load(BERT, 50)], [trade(0, ANNA, BERT, 50)]) == ([], [])


def test_devices_give_in_ascending_order_of_their_numbers() -> None:
    issuances = [generated(9, ANNA, 40), generated(2, ANNA, 30)]
    trades = [trade(0, ANNA, BERT, 35), trade(1, ANNA, CORA, 20)]
    found = allocated(issuances, [load(ANNA, 10), load(BERT, 35), load(CORA, 20)], trades)
    assert found == ([(2, ANNAS_LOAD, 10), (2, BERTS_LOAD, 20), (9, BERTS_LOAD, 15), (9, CORAS_LOAD, 20)], [])


def test_several_trades_with_one_buyer_are_one_match_and_one_move() -> None:
    trades = [trade(0, ANNA, BERT, 10), trade(1, ANNA, BERT, 20), trade(2, ANNA, BERT, 30)]
    found = allocated([generated(1, ANNA, 100)], [load(BERT, 25)], trades)
    assert found == ([(1, BERTS_LOAD, 25)], [(1, BERT, 35)])


def test_who_trades_with_itself_keeps_its_certificates() -> None:
    assert allocated([generated(1, ANNA, 100)], [], [trade(0, ANNA, ANNA, 40)]) == ([], [])


def test_earlier_trades_are_matched_with_a_buyers_consumption_first() -> None:
    issuances = [generated(1, ANNA, 30), generated(2, BERT, 30)]
    found = allocated(issuances, [load(CORA, 40)], [trade(0, BERT, CORA, 30), trade(1, ANNA, CORA, 30)])
    assert found == ([(2, CORAS_LOAD, 30), (1, CORAS_LOAD, 10)], [(1, CORA, 20)])


def test_a_buyer_without_a_meter_holds_what_it_bought() -> None:
    """The utility may trade like a member, and has no reading."""
    found = allocate([generated(1, ANNA, 100)], [], [trade(0, ANNA, 99, 80)])
    assert found == Allocation(moves=(Move(device=1, account=account(99), amount_wh=80),))


def test_a_buyer_in_another_area_holds_what_it_bought() -> None:
    found = allocated([generated(1, ANNA, 100)], [load(BERT, 90, area=2)], [trade(0, ANNA, BERT, 80)])
    assert found == ([], [(1, BERT, 80)])


def test_a_members_devices_in_two_areas_are_not_matched_with_one_another() -> None:
    assert allocated([generated(1, ANNA, 100)], [load(ANNA, 90, area=2)], []) == ([], [])


# -------------------------------------------------------------------------------------------- storages


def test_a_homes_load_is_covered_before_its_storage_is_charged() -> None:
    found = allocated([generated(1, ANNA, 100)], [charge(ANNA, 70), load(ANNA, 60)], [])
    assert found == ([(1, ANNAS_LOAD, 60), (1, ANNAS_CHARGE, 40)], [])


def test_what_a_storage_gives_is_consumed_at_home_after_what_is_generated() -> None:
    found = allocated([given_back(ANNA, 50), generated(900, ANNA, 30)], [load(ANNA, 60)], [])
    assert found == ([(900, ANNAS_LOAD, 30), (ANNAS_STORAGE, ANNAS_LOAD, 30)], [])


def test_what_a_storage_gives_is_sold_as_far_as_it_has_an_origin() -> None:
    trades = [trade(0, ANNA, BERT, 50)]
    found = allocated([given_back(ANNA, 50, certified_wh=20)], [load(BERT, 40)], trades)
    assert found == ([(ANNAS_STORAGE, BERTS_LOAD, 20)], [])


def test_what_a_storage_gives_does_not_charge_its_owners_storages() -> None:
    assert allocated([given_back(ANNA, 50)], [charge(ANNA, 50)], []) == ([], [])


def test_what_a_neighbours_storage_gives_may_charge_a_storage() -> None:
    found = allocated([given_back(ANNA, 50)], [charge(BERT, 40)], [trade(0, ANNA, BERT, 45)])
    assert found == ([(ANNAS_STORAGE, BERTS_CHARGE, 40)], [(ANNAS_STORAGE, BERT, 5)])


def test_what_is_bought_for_retirement_covers_loads_then_charges() -> None:
    found = allocated([generated(1, ANNA, 100)], [charge(BERT, 30), load(BERT, 40)], [trade(0, ANNA, BERT, 90)])
    assert found == ([(1, BERTS_LOAD, 40), (1, BERTS_CHARGE, 30)], [(1, BERT, 20)])


def test_what_is_bought_to_be_held_goes_with_the_energy_into_the_storage() -> None:
    sold = trade(0, ANNA, BERT, 90, wanted=BUNDLED)
    found = allocated([generated(1, ANNA, 100)], [charge(BERT, 30), load(BERT, 40)], [sold])
    assert found == ([(1, BERTS_CHARGE, 30)], [(1, BERT, 60)])


# ------------------------------------------------------------------------------------ what is refused


def test_a_device_is_metered_once() -> None:
    with pytest.raises(InvalidMeteringError, match="device 1 has two entries of a slot"):
        allocate([generated(1, ANNA, 10), generated(1, BERT, 10)], [], [])
    with pytest.raises(InvalidMeteringError, match="device 101 has two entries of a slot"):
        allocate([], [load(ANNA, 10), load(ANNA, 10)], [])


@pytest.mark.parametrize(
    ("kind", "amount_wh", "certified_wh", "message"),
    [
        (DeviceKind.LOAD, 5, 5, "kind is .*LOAD.*: must be GENERATOR or STORAGE"),
        (DeviceKind.GENERATOR, 0, 0, "amount_wh is 0: must be above 0"),
        (DeviceKind.STORAGE, 5, 6, "certified_wh is 6: must be 0 to 5"),
        (DeviceKind.STORAGE, 5, -1, "certified_wh is -1: must be 0 to 5"),
    ],
)
def test_what_cannot_be_issued_is_refused(
    kind: DeviceKind, amount_wh: int, certified_wh: int, message: str
) -> None:
    with pytest.raises(InvalidMeteringError, match=message):
        Issuance(1, account(ANNA), kind, 1, amount_wh, certified_wh)


@pytest.mark.parametrize(
    ("kind", "amount_wh", "certified_wh", "message"),
    [
        (DeviceKind.STORAGE, 5, 5, "kind is .*STORAGE.*: must be LOAD or CHARGE"),
        (DeviceKind.LOAD, -5, -5, "amount_wh is -5: must be above 0"),
        (DeviceKind.CHARGE, 5, 6, "certified_wh is 6: must be 0 to 5"),
    ],
)
def test_what_cannot_be_consumed_is_refused(
    kind: DeviceKind, amount_wh: int, certified_wh: int, message: str
) -> None:
    with pytest.raises(InvalidMeteringError, match=message):
        Consumption(1, account(ANNA), kind, 1, amount_wh, certified_wh)


ISSUED, CONSUMED = by_device([generated(1, ANNA, 10)]), by_device([load(BERT, 8), load(CORA, 9, area=2)])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Allocation((Move(1, account(BERT), 11),)), "11 Wh given of 10"),
        (Allocation((Move(1, account(BERT), 4),), (Match(1, BERTS_LOAD, 7),)), "11 Wh given of 10"),
        (Allocation((), (Match(1, BERTS_LOAD, 9),)), "device 102: 9 Wh covered of 8"),
        (Allocation((), (Match(1, CORAS_LOAD, 9),)), "areas 1 and 2"),
        (Allocation((), (Match(1, BERTS_LOAD, 0),)), "0 Wh"),
        (Allocation((Move(1, account(BERT), 0),)), "0 Wh moved"),
        (Allocation((Move(1, account(ANNA), 1),)), "moved to its owner"),
    ],
)
def test_a_broken_allocation_is_noticed(broken: Allocation, message: str) -> None:
    with pytest.raises(BrokenAllocationError, match=message):
        verified(broken, ISSUED, CONSUMED)


# -------------------------------------------------------------------------------------------- pro rata


def test_a_remainder_goes_to_the_largest_fraction_and_then_to_the_earlier_claim() -> None:
    assert pro_rata(10, [3, 3, 3]) == [3, 3, 3]
    assert pro_rata(5, [3, 3, 3]) == [2, 2, 1]
    assert pro_rata(1, [1, 1]) == [1, 0]
    assert pro_rata(7, [1, 10]) == [1, 6]
    assert pro_rata(0, [4, 5]) == [0, 0]
    assert pro_rata(5, []) == []


claims = st.lists(st.integers(1, 2**31), max_size=8)


@given(st.integers(0, 2**33), claims)
def test_shares_add_up_and_nobody_gets_more_than_its_claim(available: int, claims: list[int]) -> None:
    shares = pro_rata(available, claims)
    assert sum(shares) == min(available, sum(claims))
    assert all(0 <= share <= claim for share, claim in zip(shares, claims, strict=True))


@given(st.integers(0, 2**33), claims)
def test_shares_are_within_one_wh_of_exact_proportion(available: int, claims: list[int]) -> None:
    total = sum(claims)
    if available < total:
        for share, claim in zip(pro_rata(available, claims), claims, strict=True):
            assert abs(share * total - available * claim) < total


# ----------------------------------------------------------------------------------------- in any slot


@settings(max_examples=2_000, deadline=None)
@given(slots(most_wh=6))
def test_any_slot_is_allocated_as_one_wh_after_another_would_be(slot: Slot) -> None:
    found = allocate(slot.issuances, slot.consumptions, slot.trades)
    moves, matches = by_the_wh(slot)
    assert {(move.device, move.account): move.amount_wh for move in found.moves} == moves
    assert {(match.device, match.consumption): match.amount_wh for match in found.matches} == matches


@given(slots(most_wh=2**31 - 1))
def test_certificates_are_given_once_and_matched_only_with_consumption(slot: Slot) -> None:
    found = allocate(slot.issuances, slot.consumptions, slot.trades)
    issuances, consumptions = by_device(slot.issuances), by_device(slot.consumptions)
    given_wh, covered_wh = Counter[int](), Counter[int]()
    for move in found.moves:
        assert move.amount_wh > 0
        assert move.account != issuances[move.device].owner
        given_wh[move.device] += move.amount_wh
    for match in found.matches:
        assert match.amount_wh > 0
        given_wh[match.device] += match.amount_wh
        covered_wh[match.consumption] += match.amount_wh
    assert all(
        wh <= issuances[device].certified_wh <= issuances[device].amount_wh for device, wh in given_wh.items()
    )
    assert all(wh <= consumptions[device].amount_wh for device, wh in covered_wh.items())
    assert len({(move.device, move.account) for move in found.moves}) == len(found.moves)
    assert len({(match.device, match.consumption) for match in found.matches}) == len(found.matches)


@given(slots(most_wh=2**31 - 1))
def test_a_buyer_gets_no_more_than_it_bought_with_certificates(slot: Slot) -> None:
    found = allocate(slot.issuances, slot.consumptions, slot.trades)
    seller_of = {issuance.device: issuance.owner for issuance in slot.issuances}
    buyer_of = {consumption.device: consumption.owner for consumption in slot.consumptions}
    passed_on: Counter[tuple[bytes, bytes]] = Counter()
    for move in found.moves:
        passed_on[seller_of[move.device], move.account] += move.amount_wh
    for match in found.matches:
        passed_on[seller_of[match.device], buyer_of[match.consumption]] += match.amount_wh
    bundled: Counter[tuple[bytes, bytes]] = Counter()
    for each in slot.trades:
        bundled[each.seller.signed.order.account, each.buyer.signed.order.account] += (
            each.quantity_wh * each.carries_certificates
        )
    assert all(wh <= bundled[pair] for pair, wh in passed_on.items() if pair[0] != pair[1])


@given(slots(), st.randoms(use_true_random=False))
def test_the_order_in_which_devices_are_named_does_not_matter(slot: Slot, random: object) -> None:
    found = allocate(slot.issuances, slot.consumptions, slot.trades)
    shuffled_issuances, shuffled_consumptions = list(slot.issuances), list(slot.consumptions)
    random.shuffle(shuffled_issuances)  # type: ignore[attr-defined]
    random.shuffle(shuffled_consumptions)  # type: ignore[attr-defined]
    assert allocate(shuffled_issuances, shuffled_consumptions, slot.trades) == found


@given(slots())
def test_a_seller_that_delivers_passes_every_bundled_wh_on(slot: Slot) -> None:
    sales: Counter[bytes] = Counter()
    expected: Counter[tuple[int, bytes]] = Counter()
    for each in slot.trades:
        seller, buyer = each.seller.signed.order.account, each.buyer.signed.order.account
        sales[seller] += each.quantity_wh
        if each.carries_certificates and seller != buyer:
            expected[ACCOUNTS[seller], buyer] += each.quantity_wh
    # Nobody consumes, so every share is held by its buyer.
    found = allocate(
        [generated(ACCOUNTS[seller], ACCOUNTS[seller], wh) for seller, wh in sales.items()], [], slot.trades
    )
    assert {(move.device, move.account): move.amount_wh for move in found.moves} == dict(expected)
    assert found.matches == ()
