"""Who gets the certificates of a slot: worked examples, and what holds for any slot."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.allocation import BrokenAllocationError, Issuance, Move, allocate, pro_rata
from ledger.batches import FilledOrder, MemberReading
from ledger.trades import Trade
from matching.orders import CertificatePreference, Side
from tests.ledger.orders import key, signed

UNBUNDLED, BUNDLED, AUTO_RETIRE = CertificatePreference
ANNA, BERT, CORA, DORA = 1, 2, 3, 4
KEEP, RETIRE = False, True


def account(member: int) -> bytes:
    return key(member).address


def issued(device: int, owner: int, wh: int) -> Issuance:
    return Issuance(device=device, owner=account(owner), amount_wh=wh)


def trade(
    number: int,
    seller: int,
    buyer: int,
    wh: int,
    *,
    offered: CertificatePreference = AUTO_RETIRE,
    wanted: CertificatePreference = AUTO_RETIRE,
) -> Trade:
    offer = signed(seller, Side.OFFER, wh, salt=number, certificates=offered)
    bid = signed(buyer, Side.BID, wh, salt=number, certificates=wanted)
    return Trade(number=number, seller=FilledOrder(offer, wh), buyer=FilledOrder(bid, wh), quantity_wh=wh)


def readings(issuances: list[Issuance], **consumption: int) -> list[MemberReading]:
    """Every member's reading; generation is what was issued."""
    generated: Counter[bytes] = Counter()
    for issuance in issuances:
        generated[issuance.owner] += issuance.amount_wh
    names = {"anna": ANNA, "bert": BERT, "cora": CORA, "dora": DORA}
    return [
        MemberReading(account(member), consumption.get(name, 0), generated[account(member)])
        for name, member in names.items()
    ]


def moves(issuances: list[Issuance], trades: list[Trade], **consumption: int) -> list[tuple[int, int, int, bool]]:
    """The allocation as (device, member, Wh, retired)."""
    members = {account(member): member for member in (ANNA, BERT, CORA, DORA)}
    found = allocate(issuances, readings(issuances, **consumption), trades)
    return [(move.device, members[move.account], move.amount_wh, move.retired) for move in found]


# ------------------------------------------------------------------------------------- worked examples


def test_what_a_member_generates_and_consumes_itself_is_retired_for_it() -> None:
    assert moves([issued(1, ANNA, 100)], [], anna=60) == [(1, ANNA, 60, RETIRE)]
    assert moves([issued(1, ANNA, 100)], [], anna=160) == [(1, ANNA, 100, RETIRE)]


def test_what_is_neither_consumed_nor_sold_stays_with_the_producer() -> None:
    assert moves([issued(1, ANNA, 100)], []) == []


def test_what_is_sold_is_retired_for_the_buyers_consumption() -> None:
    sold = trade(0, ANNA, BERT, 80)
    assert moves([issued(1, ANNA, 100)], [sold], bert=90) == [(1, BERT, 80, RETIRE)]


def test_what_a_buyer_does_not_consume_it_holds() -> None:
    sold = trade(0, ANNA, BERT, 80)
    assert moves([issued(1, ANNA, 100)], [sold], bert=50) == [(1, BERT, 50, RETIRE), (1, BERT, 30, KEEP)]


def test_a_buyers_own_generation_covers_its_consumption_first() -> None:
    issuances = [issued(1, ANNA, 100), issued(2, BERT, 30)]
    found = moves(issuances, [trade(0, ANNA, BERT, 80)], bert=90)
    assert found == [(2, BERT, 30, RETIRE), (1, BERT, 60, RETIRE), (1, BERT, 20, KEEP)]


def test_a_buyer_that_bundles_holds_what_it_bought() -> None:
    sold = trade(0, ANNA, BERT, 80, wanted=BUNDLED)
    assert moves([issued(1, ANNA, 100)], [sold], bert=90) == [(1, BERT, 80, KEEP)]


def test_a_seller_that_bundles_lets_its_buyer_decide() -> None:
    sold = trade(0, ANNA, BERT, 80, offered=BUNDLED)
    assert moves([issued(1, ANNA, 100)], [sold], bert=90) == [(1, BERT, 80, RETIRE)]


def test_nothing_moves_if_either_side_asked_for_energy_alone() -> None:
    for sides in ({"offered": UNBUNDLED}, {"wanted": UNBUNDLED}, {"offered": UNBUNDLED, "wanted": UNBUNDLED}):
        assert moves([issued(1, ANNA, 100)], [trade(0, ANNA, BERT, 80, **sides)], bert=90) == []


def test_the_share_of_energy_sold_alone_is_not_given_to_another_buyer() -> None:
    trades = [trade(0, ANNA, BERT, 50, wanted=UNBUNDLED), trade(1, ANNA, CORA, 50)]
    assert moves([issued(1, ANNA, 60)], trades, bert=50, cora=50) == [(1, CORA, 30, RETIRE)]


def test_a_seller_that_fell_short_shares_what_it_has_in_proportion() -> None:
    trades = [trade(0, ANNA, BERT, 30), trade(1, ANNA, CORA, 60)]
    found = moves([issued(1, ANNA, 45)], trades, bert=90, cora=90)
    assert found == [(1, BERT, 15, RETIRE), (1, CORA, 30, RETIRE)]


def test_a_seller_that_consumed_what_it_sold_has_nothing_to_pass_on() -> None:
    assert moves([issued(1, ANNA, 50)], [trade(0, ANNA, BERT, 50)], anna=50, bert=50) == [(1, ANNA, 50, RETIRE)]


def test_a_seller_without_a_device_passes_nothing_on() -> None:
    assert moves([issued(1, CORA, 50)], [trade(0, ANNA, BERT, 50)], bert=50) == []


def test_devices_give_in_ascending_order_of_their_numbers() -> None:
    issuances = [issued(9, ANNA, 40), issued(2, ANNA, 30)]
    trades = [trade(0, ANNA, BERT, 35), trade(1, ANNA, CORA, 20)]
    found = moves(issuances, trades, anna=10, bert=35, cora=20)
    assert found == [(2, ANNA, 10, RETIRE), (2, BERT, 20, RETIRE), (9, BERT, 15, RETIRE), (9, CORA, 20, RETIRE)]


def test_several_trades_with_one_buyer_are_one_move() -> None:
    trades = [trade(0, ANNA, BERT, 10), trade(1, ANNA, BERT, 20)]
    assert moves([issued(1, ANNA, 100)], trades, bert=30) == [(1, BERT, 30, RETIRE)]


def test_who_trades_with_itself_keeps_its_certificates() -> None:
    assert moves([issued(1, ANNA, 100)], [trade(0, ANNA, ANNA, 40)]) == []


def test_earlier_trades_are_retired_against_a_buyers_consumption_first() -> None:
    issuances = [issued(1, ANNA, 30), issued(2, BERT, 30)]
    trades = [trade(0, BERT, CORA, 30), trade(1, ANNA, CORA, 30)]
    assert moves(issuances, trades, cora=40) == [(2, CORA, 30, RETIRE), (1, CORA, 10, RETIRE), (1, CORA, 20, KEEP)]


def test_a_buyer_without_a_meter_holds_what_it_bought() -> None:
    """The utility may trade like a member, and has no reading."""
    issuances = [issued(1, ANNA, 100)]
    sold = trade(0, ANNA, 99, 80)
    assert allocate(issuances, readings(issuances), [sold]) == [
        Move(device=1, account=account(99), amount_wh=80, retired=False)
    ]


# -------------------------------------------------------------------------------------------- pro rata


def test_what_was_issued_must_be_what_was_generated() -> None:
    generation = [MemberReading(account(ANNA), 0, 499)]
    with pytest.raises(BrokenAllocationError, match="generated 499 Wh: 500 issued"):
        allocate([issued(1, ANNA, 500)], generation, [])


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

members = st.sampled_from([ANNA, BERT, CORA, DORA])
preferences = st.sampled_from(CertificatePreference)
wh = st.integers(1, 60)
slots = st.fixed_dictionaries(
    {
        "owners": st.lists(st.tuples(members, wh), max_size=6),
        "trades": st.lists(st.tuples(members, members, wh, preferences, preferences), max_size=8),
        "consumption": st.fixed_dictionaries(
            {name: st.integers(0, 90) for name in ("anna", "bert", "cora", "dora")}
        ),
    }
)


def trades_from(drawn: list[tuple[int, int, int, CertificatePreference, CertificatePreference]]) -> list[Trade]:
    return [
        trade(number, seller, buyer, amount, offered=offered, wanted=wanted)
        for number, (seller, buyer, amount, offered, wanted) in enumerate(drawn)
    ]


@given(slots)
def test_certificates_are_moved_once_or_kept_and_retired_only_against_consumption(slot: dict) -> None:  # type: ignore[type-arg]
    issuances = [issued(device, owner, amount) for device, (owner, amount) in enumerate(slot["owners"])]
    trades = trades_from(slot["trades"])
    metered = readings(issuances, **slot["consumption"])
    found = allocate(issuances, metered, trades)

    assert all(move.amount_wh > 0 for move in found)
    keys = [(move.device, move.account, move.retired) for move in found]
    assert len(keys) == len(set(keys))
    for issuance in issuances:
        assert sum(move.amount_wh for move in found if move.device == issuance.device) <= issuance.amount_wh

    owner_of = {issuance.device: issuance.owner for issuance in issuances}
    passed_on: Counter[tuple[bytes, bytes]] = Counter()
    for move in found:
        if move.account == owner_of[move.device]:
            assert move.retired  # what an owner keeps does not move
        else:
            passed_on[owner_of[move.device], move.account] += move.amount_wh
    bundled: Counter[tuple[bytes, bytes]] = Counter()
    for each in trades:
        pair = each.seller.signed.order.account, each.buyer.signed.order.account
        bundled[pair] += each.quantity_wh * each.carries_certificates
    assert all(amount <= bundled[pair] for pair, amount in passed_on.items())

    for reading in metered:
        retired = sum(move.amount_wh for move in found if move.retired and move.account == reading.account)
        assert retired <= reading.consumption_wh
        own = sum(move.amount_wh for move in found if owner_of[move.device] == reading.account == move.account)
        assert own == min(reading.consumption_wh, reading.generation_wh)


@given(slots)
def test_a_seller_that_delivers_passes_every_bundled_wh_on(slot: dict) -> None:  # type: ignore[type-arg]
    sold = trades_from(slot["trades"])
    sales: Counter[int] = Counter()
    for seller, _, amount, *_ in slot["trades"]:
        sales[seller] += amount
    issuances = [issued(member, member, amount) for member, amount in sorted(sales.items())]
    # Nobody consumes, so nothing is retired and every share is held by its buyer.
    found = allocate(issuances, readings(issuances), sold)
    expected: Counter[tuple[int, bytes]] = Counter()
    for each, (seller, buyer, *_) in zip(sold, slot["trades"], strict=True):
        if each.carries_certificates and seller != buyer:
            expected[seller, account(buyer)] += each.quantity_wh
    assert {(move.device, move.account): move.amount_wh for move in found} == dict(expected)
    assert not any(move.retired for move in found)
