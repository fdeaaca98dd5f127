"""Corrections: what is withdrawn is worth nothing, what is right is issued again, what is owed is paid first."""

from collections.abc import Sequence
from typing import Any

import pytest

from ledger.deployment import CERTIFICATE_LIFETIME_S
from tests.contracts.devices import (
    DEVICE,
    LOAD,
    MATCHED,
    STORED,
    TOKEN,
    certificates,
    certify,
    claim,
    claimed,
    consumption_id,
    events,
    held,
    on_issuance,
    register,
    register_battery,
    retire,
    send,
    token_id,
    totals,
)
from tests.world import SLOT, World, refused

HOME, BATTERY, CHARGER = 20, 30, 31
AT_HOME = consumption_id(HOME)


@pytest.fixture
def issued(world: World) -> World:
    """Member 0's device generated 500 Wh, of which member 1 bought 100."""
    anna, bert = (key.address for key in world.members[:2])
    register(world, DEVICE, anna)
    register(world, HOME, anna, kind=LOAD)
    certify(world, [(DEVICE, 500)], moves=[(DEVICE, bert, 100)])
    return world


def withdraw(world: World, token: int = TOKEN) -> Any:
    return send(world, "issuer", "withdraw", token, "the meter was wrong")


def reissue(
    world: World, corrected_wh: int, token: int = TOKEN, moves: Sequence[tuple[bytes, int]] = ()
) -> dict[str, Any]:
    """What the event says of it."""
    logged = events(world, on_issuance(world, "issuer", "reissue", token, corrected_wh, moves))
    (fields,) = [fields for name, fields in logged if name == "Reissued"]
    return fields


def correct(world: World, corrected_wh: int, token: int = TOKEN) -> tuple[int, int]:
    """Withdraw and issue again: the new Wh, and the shortfall."""
    withdraw(world, token)
    fields = reissue(world, corrected_wh, token)
    return fields["issued_wh"], fields["shortfall_wh"]


def debt(world: World, device: int = DEVICE) -> int:
    owed: int = world.contracts.issuance.read("debt_of", device)
    return owed


def indebted(world: World) -> int:
    count: int = world.contracts.issuance.read("indebted_count")
    return count


# -------------------------------------------------------------------------------------------- withdrawal


def test_what_is_withdrawn_is_frozen_and_what_was_retired_stays_so(issued: World) -> None:
    anna = issued.members[0]
    retire(issued, anna, TOKEN, 150)
    receipt = withdraw(issued)
    frozen = {"id": TOKEN, "frozen_wh": 350, "reason": "the meter was wrong"}
    assert events(issued, receipt) == [("Withdrawn", frozen)]
    state = certificates(issued).read("state_of", TOKEN)
    assert (state["withdrawn"], state["issued_wh"], state["retired_wh"]) == (True, 500, 150)
    assert (held(issued, anna.address), claimed(issued, anna.address)) == (250, 150)


def test_what_is_withdrawn_goes_nowhere(issued: World) -> None:
    certify(issued, [], [(HOME, 400)])
    withdraw(issued)
    for member in (0, 1):
        who, to = issued.members[member], issued.members[2].address
        for way in (
            ("retire", [TOKEN], [1], claim()),
            ("export", [TOKEN], [1], "CH", "1"),
            ("safeTransferFrom", who.address, to, TOKEN, 1, b""),
            ("safeBatchTransferFrom", who.address, to, [TOKEN], [1], b""),
        ):
            with refused("certificates: withdrawn"):
                send(issued, who, *way)
    with refused("certificates: withdrawn"):
        send(issued, issued.members[0], "retire_pairs", [(TOKEN, AT_HOME, 1)])


def test_a_withdrawn_consumption_covers_nothing(issued: World) -> None:
    certify(issued, [], [(HOME, 400)])
    withdraw(issued, AT_HOME)
    with refused("certificates: withdrawn"):
        send(issued, issued.members[0], "retire_pairs", [(TOKEN, AT_HOME, 1)])


def test_the_other_slot_of_the_word_is_not_withdrawn(issued: World) -> None:
    for slot in (SLOT - 900, SLOT + 900):
        certify(issued, [(DEVICE, 7)], slot=slot)
    withdraw(issued)
    for slot in (SLOT - 900, SLOT + 900):
        retire(issued, issued.members[0], token_id(slot=slot), 7)


def test_a_certificate_is_withdrawn_once_and_only_if_there_is_one(issued: World) -> None:
    for token in (TOKEN + 1, TOKEN + 256, 0):
        with refused("certificates: nothing to withdraw"):
            withdraw(issued, token)
    withdraw(issued)
    with refused("certificates: already withdrawn"):
        withdraw(issued)


def test_what_is_expired_is_not_corrected(issued: World) -> None:
    certify(issued, [], [(HOME, 400)])
    withdraw(issued)
    issued.time.now = SLOT + CERTIFICATE_LIFETIME_S
    for corrected_wh in (0, 400):
        with refused("certificates: expired"):
            reissue(issued, corrected_wh)
    with refused("certificates: expired"):
        withdraw(issued, AT_HOME)


# -------------------------------------------------------------------------------------------- reissuance


@pytest.mark.parametrize("corrected_wh", [700, 500, 200])
def test_what_is_right_is_issued_again_less_what_was_retired(issued: World, corrected_wh: int) -> None:
    anna, bert = issued.members[:2]
    retire(issued, anna, TOKEN, 50)
    retire(issued, bert, TOKEN, 30)
    withdraw(issued)
    expected = {"id": TOKEN + 1, "corrected_wh": corrected_wh, "issued_wh": corrected_wh - 80, "shortfall_wh": 0}
    assert reissue(issued, corrected_wh) == expected
    assert held(issued, anna.address, TOKEN + 1) == corrected_wh - 80
    assert (held(issued, bert.address, TOKEN + 1), debt(issued)) == (0, 0)
    retire(issued, anna, TOKEN + 1, corrected_wh - 80)


def test_who_bought_gets_back_what_it_held(issued: World) -> None:
    anna, bert, cora = issued.members[:3]
    send(issued, bert, "safeTransferFrom", bert.address, cora.address, TOKEN, 40, b"")
    withdraw(issued)
    shares = sorted([(bert.address, 60), (cora.address, 30)])
    receipt = on_issuance(issued, "issuer", "reissue", TOKEN, 450, shares)
    moved = [fields for name, fields in events(issued, receipt) if name == "TransferSingle"][1:]
    assert [(each["_from"], each["_to"], each["_id"], each["_value"]) for each in moved] == [
        (anna.address, account, TOKEN + 1, wh) for account, wh in shares
    ]
    holders = (anna, bert, cora)
    assert [held(issued, each.address, TOKEN + 1) for each in holders] == [360, 60, 30]
    retire(issued, bert, TOKEN + 1, 60)


def test_the_issuer_can_take_from_a_buyer_by_a_correction(issued: World) -> None:
    # No rule of the contracts: an audit finds it, by `correct.shares`.
    anna, bert = (key.address for key in issued.members[:2])
    assert [held(issued, each, TOKEN) for each in (anna, bert)] == [400, 100]
    assert correct(issued, 500) == (500, 0)
    assert [held(issued, each, TOKEN + 1) for each in (anna, bert)] == [500, 0]


def test_nobody_gets_more_of_a_correction_than_it_held(issued: World) -> None:
    bert, cora = (key.address for key in issued.members[1:3])
    retire(issued, issued.members[1], TOKEN, 30)
    withdraw(issued)
    for share in ((bert, 71), (cora, 1)):
        with refused("issuance: more than was held"):
            reissue(issued, 500, moves=[share])
    with refused("issuance: empty"):
        reissue(issued, 500, moves=[(bert, 0)])
    with refused("issuance: move to the owner"):
        reissue(issued, 500, moves=[(issued.members[0].address, 1)])
    with refused("certificates: balance"):
        reissue(issued, 60, moves=[(bert, 31)])
    reissue(issued, 500, moves=[(bert, 70)])


def test_nobody_is_given_shares_of_a_correction_twice(issued: World) -> None:
    bert, cora = issued.members[1:3]
    send(issued, bert, "safeTransferFrom", bert.address, cora.address, TOKEN, 40, b"")
    withdraw(issued)
    low, high = sorted((bert.address, cora.address))
    for accounts in ([low, low], [high, low], [bytes(20), low]):
        with refused("issuance: order of shares"):
            reissue(issued, 500, moves=[(account, 1) for account in accounts])


def test_consumption_has_no_shares(issued: World) -> None:
    certify(issued, [], [(HOME, 400)])
    withdraw(issued, AT_HOME)
    with refused("issuance: more than was held"):
        reissue(issued, 400, AT_HOME, [(issued.members[1].address, 1)])


def test_what_was_retired_beyond_what_is_right_is_owed(issued: World) -> None:
    retire(issued, issued.members[0], TOKEN, 400)
    assert correct(issued, 300) == (0, 100)
    assert totals(issued, TOKEN + 1) == (0, 0)
    assert (debt(issued), indebted(issued)) == (100, 1)


def test_the_next_issuances_pay_first(issued: World) -> None:
    anna = issued.members[0]
    retire(issued, anna, TOKEN, 400)
    correct(issued, 300)
    receipt = certify(issued, [(DEVICE, 60)], slot=SLOT + 900)
    paid = {"device": DEVICE, "slot": SLOT + 900, "amount_wh": 60}
    assert ("DebtPaid", paid) in events(issued, receipt)
    assert totals(issued, token_id(slot=SLOT + 900)) == (0, 0)
    assert (debt(issued), indebted(issued)) == (40, 1)
    on_issuance(issued, "issuer", "issue", 0, DEVICE, SLOT + 1_800 - 3_600, [100, 10])
    assert [totals(issued, token_id(slot=SLOT + 900 * n)) for n in (-2, -1)] == [(60, 0), (10, 0)]
    assert (debt(issued), indebted(issued)) == (0, 0)


def test_another_device_does_not_pay(issued: World) -> None:
    register(issued, DEVICE + 1, issued.members[0].address)
    retire(issued, issued.members[0], TOKEN, 400)
    correct(issued, 300)
    certify(issued, [(DEVICE + 1, 60)])
    assert (totals(issued, token_id(DEVICE + 1)), debt(issued)) == ((60, 0), 100)


def test_several_devices_owe_each_for_itself(issued: World) -> None:
    other = token_id(DEVICE + 1)
    register(issued, DEVICE + 1, issued.members[0].address)
    certify(issued, [(DEVICE + 1, 50)])
    for token in (TOKEN, other):
        retire(issued, issued.members[0], token, 50)
        correct(issued, 20, token)
    assert (debt(issued), debt(issued, DEVICE + 1), indebted(issued)) == (30, 30, 2)
    certify(issued, [(DEVICE, 100)], slot=SLOT + 900)
    assert (debt(issued), debt(issued, DEVICE + 1), indebted(issued)) == (0, 30, 1)


def test_corrections_of_corrections_count_everything_once(issued: World) -> None:
    anna = issued.members[0]
    retire(issued, anna, TOKEN, 400)
    assert correct(issued, 300) == (0, 100)  # 400 retired of 300
    assert correct(issued, 450, TOKEN + 1) == (50, 0)  # 150 more are right, of which 100 pay the debt
    assert debt(issued) == 0
    retire(issued, anna, TOKEN + 2, 20)
    assert correct(issued, 430, TOKEN + 2) == (10, 0)  # 420 are retired
    assert correct(issued, 400, TOKEN + 3) == (0, 20)
    assert correct(issued, 350, TOKEN + 4) == (0, 50)
    assert debt(issued) == 70


def test_what_was_paid_for_a_debt_is_not_issued_again(issued: World) -> None:
    later = token_id(slot=SLOT + 900)
    retire(issued, issued.members[0], TOKEN, 400)
    correct(issued, 300)
    certify(issued, [(DEVICE, 150)], slot=SLOT + 900)
    assert totals(issued, later) == (50, 0)
    assert correct(issued, 120, later) == (20, 0)
    assert correct(issued, 90, later + 1) == (0, 10)
    assert debt(issued) == 10


def test_a_correction_to_nothing_takes_it_all_back(issued: World) -> None:
    assert correct(issued, 0) == (0, 0)
    assert totals(issued, TOKEN + 1) == (0, 0)


def test_only_the_latest_revision_is_corrected_and_once_it_is_withdrawn(issued: World) -> None:
    with refused("issuance: not withdrawn"):
        reissue(issued, 100)
    correct(issued, 100)
    with refused("certificates: issued"):
        reissue(issued, 90)
    with refused("issuance: not withdrawn"):
        reissue(issued, 90, TOKEN + 1)
    with refused("issuance: not withdrawn"):
        reissue(issued, 90, TOKEN + 2)


def test_a_certificate_is_corrected_fifteen_times(issued: World) -> None:
    for revision in range(15):
        correct(issued, 100, TOKEN + revision)
    withdraw(issued, TOKEN + 15)
    with refused("issuance: revisions"):
        reissue(issued, 100, TOKEN + 15)


def test_a_correction_keeps_to_what_the_device_can_have_metered(issued: World) -> None:
    withdraw(issued)
    with refused("issuance: nameplate"):
        reissue(issued, 1_001)
    assert reissue(issued, 0)["issued_wh"] == 0


def test_consumption_is_corrected_alike(issued: World) -> None:
    certify(issued, [], [(HOME, 400)])
    send(issued, issued.members[0], "retire_pairs", [(TOKEN, AT_HOME, 300)])
    assert correct(issued, 250, AT_HOME) == (0, 50)
    assert debt(issued, HOME) == 50
    certify(issued, [], [(HOME, 400)], slot=SLOT + 900)
    later = consumption_id(HOME, SLOT + 900)
    assert held(issued, issued.members[0].address, later) == 350
    assert correct(issued, 500, later) == (450, 0)


# ---------------------------------------------------------------------------------------------- storages


@pytest.fixture
def stored(issued: World) -> World:
    """The battery took 100 Wh with an origin and gave 90."""
    register_battery(issued, BATTERY, CHARGER, issued.members[0].address)
    matches = [(DEVICE, CHARGER, 100)]
    certify(issued, [(DEVICE, 100)], [(CHARGER, 100)], matches=matches, slot=SLOT + 900)
    certify(issued, [(BATTERY, 90)], slot=SLOT + 1_800)
    return issued


GIVEN = token_id(BATTERY, SLOT + 1_800, kind=STORED)
TAKEN = consumption_id(CHARGER, SLOT + 900)


def test_a_storage_is_not_corrected_beyond_what_its_lots_gave(stored: World) -> None:
    withdraw(stored, GIVEN)
    with refused("issuance: more than stored"):
        reissue(stored, 91, GIVEN)
    assert reissue(stored, 90, GIVEN)["issued_wh"] == 90
    withdraw(stored, GIVEN + 1)
    with refused("issuance: more than stored"):
        reissue(stored, 91, GIVEN + 1)


def test_a_wrong_correction_of_a_storage_is_put_right(stored: World) -> None:
    retire(stored, stored.members[0], GIVEN, 80)
    assert correct(stored, 30, GIVEN) == (0, 50)
    assert correct(stored, 90, GIVEN + 1) == (10, 0)
    assert debt(stored, BATTERY) == 0


def test_what_a_storage_was_certified_for_counts_before_its_debt(stored: World) -> None:
    anna = stored.members[0]
    retire(stored, anna, GIVEN, 80)
    assert correct(stored, 60, GIVEN) == (0, 20)
    matches = [(DEVICE, CHARGER, 100)]
    certify(stored, [(DEVICE, 100)], [(CHARGER, 100)], matches=matches, slot=SLOT + 2_700)
    certify(stored, [(BATTERY, 90)], slot=SLOT + 3_600)
    later = token_id(BATTERY, SLOT + 3_600, kind=STORED)
    assert (totals(stored, later), debt(stored, BATTERY)) == ((70, 0), 0)
    assert correct(stored, 30, later) == (10, 0)
    assert correct(stored, 90, later + 1) == (70, 0)
    withdraw(stored, later + 2)
    with refused("issuance: more than stored"):
        reissue(stored, 91, later + 2)


def test_more_charge_goes_into_the_storage_without_an_origin(stored: World) -> None:
    assert correct(stored, 120, TAKEN) == (20, 0)
    assert totals(stored, TAKEN + 1) == (20, 20)
    read = stored.contracts.issuance.read
    assert read("lots_of", BATTERY, 1, 256) == [{"source": 0, "output_uwh": 18_000_000}]
    assert read("queue_of", BATTERY)["after_slot"] == SLOT + 1_800 + 1


def test_less_charge_is_owed_and_comes_off_the_next(stored: World) -> None:
    assert correct(stored, 70, TAKEN) == (0, 30)
    certify(stored, [], [(CHARGER, 100)], slot=SLOT + 2_700)
    lots = stored.contracts.issuance.read("lots_of", BATTERY, 0, 256)
    assert [lot["output_uwh"] for lot in lots] == [0, 63_000_000]


def test_a_claim_of_what_was_corrected_stands(stored: World) -> None:
    correct(stored, 40)
    bert = stored.members[1].address
    register(stored, 40, bert, kind=LOAD)
    matches = [(DEVICE, 40, 10)]
    receipt = certify(stored, [(DEVICE, 10)], [(40, 10)], matches=matches, slot=SLOT + 4_500)
    (topic,) = [fields["topic"] for name, fields in events(stored, receipt) if name == "ClaimSingle"]
    assert topic == MATCHED
