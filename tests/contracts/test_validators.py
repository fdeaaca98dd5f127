"""Where a market names validators, k of its n must have signed exactly the settlement that is sent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from ledger import merkle
from ledger.batches import FilledOrder, fills_hash
from ledger.chain import CallRevertedError
from ledger.eip712 import Domain, settlement_hash
from ledger.keys import Key
from tests.contracts.chunks import Fills, settle_chunk, split, state
from tests.contracts.fills import PRICE, filled
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, SLOT, TARIFF, TERMS, World, refused

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FIRST_SEAT = 16


@dataclass(frozen=True)
class Court:
    """A market whose settlements three of its four validators must sign; its slot has a book of two orders."""

    world: World
    validators: list[Key]
    fills: Fills

    def approval(self, key: Key, **changes: Any) -> bytes:
        """A validator's signature of this settlement, or of one that differs in something."""
        domain = changes.pop("domain", self.world.domain)
        assert isinstance(domain, Domain)
        content = {
            "market": self.world.market,
            "slot": SLOT,
            "book": merkle.commitment(bytes(32), 2),
            "price": PRICE,
            "fills_hash": fills_hash(self.fills),
        }
        return key.sign(settlement_hash(domain, **(content | changes)))  # type: ignore[arg-type]

    def approvals(self, *seats: int) -> list[bytes]:
        return [self.approval(self.validators[seat]) for seat in seats]

    def settle(self, approvals: Sequence[bytes], **more: object) -> None:
        settle_chunk(self.world, self.fills, approvals=approvals, more=False, **more)  # type: ignore[arg-type]


def validators_of(world: World) -> list[Key]:
    keys = [*world.strangers[3:6], world.keys["deployer"]]
    return sorted(keys, key=lambda key: key.address)


def pair(world: World, quantity_wh: int = 100) -> Fills:
    bid = world.bid(0, quantity_wh, PRICE, market=world.market)
    offer = world.offer(1, quantity_wh, PRICE, market=world.market)
    return [filled(bid), filled(offer)]


@pytest.fixture
def court(world: World) -> Court:
    validators = validators_of(world)
    second = second_market(world, validators=[key.address for key in validators], approvals_needed=3)
    second.commit(size=2)
    return Court(second, validators, split(pair(second))[0])


# ------------------------------------------------------------------------------------------------- enough


@pytest.mark.parametrize("seats", [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3), (0, 1, 2, 3)])
def test_any_three_of_four_settle(court: Court, seats: tuple[int, ...]) -> None:
    court.settle(court.approvals(*seats))
    assert state(court.world)["state"] == 1


@pytest.mark.parametrize("seats", [(), (0,), (0, 1), (2, 3)])
def test_fewer_do_not(court: Court, seats: tuple[int, ...]) -> None:
    with refused("exchange: too few approvals"):
        court.settle(court.approvals(*seats))
    court.settle(court.approvals(0, 1, 2))


def test_an_empty_slot_needs_them_too(court: Court) -> None:
    with refused("exchange: too few approvals"):
        settle_chunk(court.world, [], more=False)
    empty = replace(court, fills=[])
    empty.settle(empty.approvals(1, 2, 3))
    assert state(court.world)["state"] == 1


def test_one_that_lies_does_not_stop_the_others_and_does_not_count(court: Court) -> None:
    court_of_lies = replace(court, fills=split(pair(court.world, 99))[0])
    lie = court_of_lies.approval(court.validators[1])
    honest = court.approvals(0, 2, 3)
    # The lie recovers to some address that is nobody's; wherever it sorts, it is refused.
    for place in range(3):
        with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
            court.settle([*honest[:place], lie, *honest[place + 1 :]])
    court.settle(honest)


def test_one_that_lies_cannot_settle_with_an_operator_that_lies(court: Court) -> None:
    world = court.world
    forged = replace(court, fills=split(pair(world, 99))[0])
    with refused("exchange: too few approvals"):
        forged.settle([forged.approval(court.validators[0])])
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        forged.settle([forged.approval(court.validators[0]), *court.approvals(1, 2)])
    assert state(world)["state"] == 0


class refused_as_one_of:  # noqa: N801 - reads like `refused`
    """The contract refuses for one of these reasons: where a wrong signature sorts is chance."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        assert isinstance(error, CallRevertedError), "the contract did not refuse"
        assert error.reason in self.reasons
        return True


# ------------------------------------------------------------------------------------------- which


@pytest.mark.parametrize("places", [(0, 0, 1), (0, 1, 1), (0, 2, 1), (2, 1, 0), (0, 1, 2, 2), (1, 0, 2, 3)])
def test_approvals_are_in_ascending_order_of_their_signers_each_once(
    court: Court, places: tuple[int, ...]
) -> None:
    with refused("exchange: order of approvals"):
        court.settle(court.approvals(*places))


@pytest.mark.parametrize("who", ["operator", "owner", "utility", "meter_authority"])
def test_whoever_has_no_seat_does_not_count(court: Court, who: str) -> None:
    signers = sorted([*court.validators[:2], court.world.keys[who]], key=lambda key: key.address)
    with refused("exchange: not a validator"):
        court.settle([court.approval(key) for key in signers])


def test_one_that_does_not_count_spoils_enough_that_do(court: Court) -> None:
    signers = sorted([*court.validators, court.world.keys["operator"]], key=lambda key: key.address)
    with refused("exchange: not a validator"):
        court.settle([court.approval(key) for key in signers])


OTHERWISE: dict[str, dict[str, Any]] = {
    "market": {"market": MARKET},
    "slot": {"slot": SLOT + 900},
    "book": {"book": merkle.commitment(bytes(32), 3)},
    "price": {"price": PRICE + 1},
    "fills": {"fills_hash": bytes(32)},
    "chain": {},
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_an_approval_is_of_this_settlement_and_no_other(court: Court, what: str) -> None:
    changes = OTHERWISE[what]
    if what == "chain":
        changes = {"domain": Domain(1, court.world.exchange.address)}
    wrong = [court.approval(key, **changes) for key in court.validators]
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        court.settle(wrong)
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        court.settle([*court.approvals(0, 1), wrong[2]])
    court.settle(court.approvals(0, 1, 2))


def test_an_approval_names_the_exchange(court: Court) -> None:
    elsewhere = Domain(court.world.chain.chain_id, court.world.contracts.escrow.address)
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        court.settle([*court.approvals(0, 1), court.approval(court.validators[2], domain=elsewhere)])


def test_an_approval_covers_what_each_order_was_filled(court: Court) -> None:
    less = [FilledOrder(fill.signed, fill.fill_wh - 1) for fill in court.fills]
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        settle_chunk(court.world, less, approvals=court.approvals(0, 1, 2), more=False)


@pytest.mark.parametrize("v", [0, 1, 26, 29])
def test_an_approval_has_a_v_of_27_or_28(court: Court, v: int) -> None:
    good, *others = court.approvals(0, 1, 2)
    with refused("ecdsa: invalid signature"):
        court.settle([good[:64] + bytes([v]), *others])


def test_an_approval_is_low_s(court: Court) -> None:
    good, *others = court.approvals(0, 1, 2)
    high = CURVE_ORDER - int.from_bytes(good[32:64], "big")
    malleated = good[:32] + high.to_bytes(32, "big") + bytes([55 - good[64]])
    with refused("ecdsa: invalid signature `s` value"):
        court.settle([malleated, *others])


def test_more_approvals_than_a_market_can_have_validators_are_refused(court: Court) -> None:
    with refused(""):  # the ABI decoder's own refusal
        court.settle(court.approvals(*([0] * 17)))


# --------------------------------------------------------------------------------------- where there are none


def test_a_market_without_validators_takes_no_approvals(closed: World) -> None:
    with refused("exchange: no validators"):
        settle_chunk(closed, [], approvals=[closed.members[0].sign(bytes(32))], more=False)
    settle_chunk(closed, [], more=False)


# ---------------------------------------------------------------------------------------------- chunks


def test_only_the_last_chunk_needs_approvals_and_they_cover_all_of_them(court: Court) -> None:
    first, second = split(court.fills, 1)
    settle_chunk(court.world, first)
    with refused("exchange: too few approvals"):
        settle_chunk(court.world, second, more=False)
    last_only = replace(court, fills=second)
    with refused_as_one_of("exchange: not a validator", "exchange: order of approvals"):
        settle_chunk(court.world, second, approvals=last_only.approvals(0, 1, 2), more=False)
    settle_chunk(court.world, second, approvals=court.approvals(0, 1, 2), more=False)
    assert state(court.world)["state"] == 1


def test_approvals_may_follow_by_themselves(court: Court) -> None:
    settle_chunk(court.world, court.fills)
    settle_chunk(court.world, [], approvals=court.approvals(0, 1, 3), more=False)
    assert state(court.world)["state"] == 1


# ----------------------------------------------------------------------------------------------- seats


def seat(court: Court, number: int) -> bytes:
    holder: bytes = court.world.read("holder_of", SECOND_MARKET, FIRST_SEAT + number)
    return holder


def test_a_seat_is_handed_over_in_two_steps(court: Court) -> None:
    world, heir = court.world, court.world.keys["owner"]
    world.act(court.validators[3], "offer_role", SECOND_MARKET, FIRST_SEAT + 3, heir.address)
    assert seat(court, 3) == court.validators[3].address
    world.act(heir, "accept_role", SECOND_MARKET, FIRST_SEAT + 3)
    assert seat(court, 3) == heir.address
    former = sorted([*court.validators[:2], court.validators[3]], key=lambda key: key.address)
    with refused("exchange: not a validator"):
        court.settle([court.approval(key) for key in former])
    present = sorted([*court.validators[:2], heir], key=lambda key: key.address)
    court.settle([court.approval(key) for key in present])


def test_nobody_holds_two_seats(court: Court) -> None:
    world, heir = court.world, court.world.keys["owner"]
    with_seat = court.validators[0]
    world.act(court.validators[3], "offer_role", SECOND_MARKET, FIRST_SEAT + 3, with_seat.address)
    with refused("markets: already a validator"):
        world.act(with_seat, "accept_role", SECOND_MARKET, FIRST_SEAT + 3)
    for number in (2, 3):
        world.act(court.validators[number], "offer_role", SECOND_MARKET, FIRST_SEAT + number, heir.address)
    world.act(heir, "accept_role", SECOND_MARKET, FIRST_SEAT + 2)
    with refused("markets: already a validator"):
        world.act(heir, "accept_role", SECOND_MARKET, FIRST_SEAT + 3)


def test_whoever_gave_its_seat_away_may_be_given_another(court: Court) -> None:
    world, heir = court.world, court.world.keys["owner"]
    former = court.validators[0]
    world.act(former, "offer_role", SECOND_MARKET, FIRST_SEAT, heir.address)
    world.act(heir, "accept_role", SECOND_MARKET, FIRST_SEAT)
    world.act(court.validators[1], "offer_role", SECOND_MARKET, FIRST_SEAT + 1, former.address)
    world.act(former, "accept_role", SECOND_MARKET, FIRST_SEAT + 1)
    assert (seat(court, 0), seat(court, 1)) == (heir.address, former.address)


@pytest.mark.parametrize("number", [4, 15, 16])
def test_there_is_no_seat_beyond_the_last(court: Court, number: int) -> None:
    for key in (*court.validators, court.world.keys["owner"], court.world.keys["operator"]):
        with refused("markets: not the holder"):
            court.world.act(key, "offer_role", SECOND_MARKET, FIRST_SEAT + number, key.address)


def test_a_seat_in_one_market_is_none_in_another(court: Court) -> None:
    addresses = [key.address for key in court.validators]
    assert court.world.read("are_validators", SECOND_MARKET, addresses)
    assert not court.world.read("are_validators", MARKET, addresses[:1])
    assert not court.world.read("are_validators", SECOND_MARKET, [*addresses, court.world.keys["owner"].address])


# ------------------------------------------------------------------------------------- opening a market


@pytest.mark.parametrize(
    ("seats", "needed", "reason"),
    [
        (4, 5, "markets: approvals"),
        (4, 0, "markets: approvals"),
        (0, 1, "markets: approvals"),
        (17, 3, ""),  # the ABI decoder's own refusal
    ],
)
def test_needed_approvals_are_one_to_all(world: World, seats: int, needed: int, reason: str) -> None:
    validators = [number.to_bytes(20, "big") for number in range(1, seats + 1)]
    with refused(reason):
        second_market(world, validators=validators, approvals_needed=needed)


def test_sixteen_of_sixteen_is_the_most(world: World) -> None:
    keys = sorted((Key(bytes([number] * 32)) for number in range(1, 17)), key=lambda key: key.address)
    second = second_market(world, validators=[key.address for key in keys], approvals_needed=16)
    second.commit(size=2)
    court = Court(second, keys, split(pair(second))[0])
    with refused("exchange: too few approvals"):
        court.settle(court.approvals(*range(15)))
    court.settle(court.approvals(*range(16)))


@pytest.mark.parametrize("validators", [[2, 1], [1, 1], [0, 1]])
def test_validators_are_named_in_ascending_order_each_once(world: World, validators: list[int]) -> None:
    parties = {role: world.keys[role].address for role in ("operator", "meter_authority", "registrar")}
    terms = parties | {"utility": world.strangers[0].address} | asdict(TERMS)
    tariff = asdict(TARIFF) | {"from_slot": 0}
    seats = [number.to_bytes(20, "big") for number in validators]
    with refused("markets: order of validators"):
        world.act("owner", "open_market", SECOND_MARKET, terms, tariff, seats, 1)
