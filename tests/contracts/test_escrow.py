"""Credits go in, come out after a notice period without anybody's consent, and debts come first."""

import pytest

from ledger.batches import FilledOrder, MemberReading
from tests.contracts.debts import ESCROW, LEAST_DEBT, NOTICE_S, deliver_consumption, run_into_debt, tokens
from tests.contracts.lying import lying_world, tell
from tests.world import MARKET, SLOT, TARIFF, TERMS, World, refused

# --------------------------------------------------------------------------------------------- deposits


def test_a_deposit_moves_credits_into_the_members_escrow(world: World) -> None:
    account = world.members[0].address
    held = tokens(world, world.contracts.escrow.address)
    world.fund(account, 7)
    assert world.balance(account) == ESCROW + 7
    assert tokens(world, world.contracts.escrow.address) == held + 7


def test_anyone_may_pay_in_for_a_member_from_its_own_credits(world: World) -> None:
    payer = world.strangers[0]
    world.send("treasurer", world.contracts.credit, "mint", payer.address, 10)
    world.send(payer, world.contracts.credit, "approve", world.contracts.escrow.address, 10)
    world.act(payer, "deposit", world.members[0].address, 4)
    assert tokens(world, payer.address) == 6
    assert world.balance(world.members[0].address) == ESCROW + 4


def test_a_stranger_has_no_escrow(world: World) -> None:
    with refused("escrow: not a member"):
        world.fund(world.strangers[0].address, 1)


def test_a_deposit_of_nothing_is_refused(world: World) -> None:
    with refused("escrow: nothing to deposit"):
        world.act("treasurer", "deposit", world.members[0].address, 0)


def test_a_deposit_needs_the_payers_allowance_and_credits(world: World) -> None:
    payer, account = world.strangers[0], world.members[0].address
    with refused("erc20: insufficient allowance"):
        world.act(payer, "deposit", account, 1)
    world.send(payer, world.contracts.credit, "approve", world.contracts.escrow.address, 1)
    with refused("erc20: transfer amount exceeds balance"):
        world.act(payer, "deposit", account, 1)
    assert world.balance(account) == ESCROW


def test_a_balance_that_does_not_fit_the_account_word_is_refused(world: World) -> None:
    account = world.members[0].address
    before = world.read("account_of", account)
    world.fund(account, 2**60 - 1 - ESCROW)
    assert world.read("account_of", account) == before | {"balance": 2**60 - 1}
    with refused("account: balance"):
        world.fund(account, 1)


# ------------------------------------------------------------------------------------------- withdrawals


def test_a_withdrawal_is_paid_out_after_the_notice_period_and_not_a_second_before(world: World) -> None:
    member = world.members[0]
    asked_at = SLOT
    world.at(asked_at)
    world.act(member, "request_withdrawal", 100)
    world.at(asked_at + NOTICE_S - 1)
    with refused("escrow: notice period"):
        world.act(member, "withdraw")
    world.at(asked_at + NOTICE_S)
    world.act(member, "withdraw")
    assert (world.balance(member.address), tokens(world, member.address)) == (ESCROW - 100, 100)


@pytest.mark.parametrize("late", [False, True])
def test_a_request_that_is_not_used_within_a_week_lapses(world: World, late: bool) -> None:
    member = world.members[0]
    world.at(SLOT)
    world.act(member, "request_withdrawal", 100)
    world.at(SLOT + NOTICE_S + 7 * 86_400 + late)
    if late:
        with refused("escrow: request lapsed"):
            world.act(member, "withdraw")
        world.act(member, "request_withdrawal", 100)
        world.time.now += NOTICE_S + 60
    world.act(member, "withdraw")
    assert tokens(world, member.address) == 100


def test_a_withdrawal_is_paid_out_once(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", 100)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    with refused("escrow: nothing requested"):
        world.act(member, "withdraw")


def test_nothing_is_paid_out_that_was_not_requested(world: World) -> None:
    with refused("escrow: nothing requested"):
        world.act(world.members[0], "withdraw")


def test_the_whole_balance_can_be_withdrawn_and_no_more(world: World) -> None:
    member = world.members[0]
    with refused("escrow: more than the balance"):
        world.act(member, "request_withdrawal", ESCROW + 1)
    world.act(member, "request_withdrawal", ESCROW)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    assert (world.balance(member.address), tokens(world, member.address)) == (0, ESCROW)


def test_a_new_request_replaces_the_old_one_and_its_notice(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", 100)
    world.at(SLOT)
    world.act(member, "request_withdrawal", 300)
    assert world.read("withdrawals", member.address) == {"amount": 300, "ready_at": SLOT + NOTICE_S}
    world.at(SLOT + NOTICE_S - 1)
    with refused("escrow: notice period"):
        world.act(member, "withdraw")
    world.at(SLOT + NOTICE_S)
    world.act(member, "withdraw")
    assert tokens(world, member.address) == 300


def test_a_request_for_nothing_cancels_the_request(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", 100)
    world.act(member, "request_withdrawal", 0)
    world.time.now += 2 * NOTICE_S
    with refused("escrow: nothing requested"):
        world.act(member, "withdraw")


def test_requested_credits_still_cover_orders_and_what_is_left_is_paid_out(world: World) -> None:
    buyer = world.members[0]
    world.act(buyer, "request_withdrawal", ESCROW)
    world.commit()
    quantity_wh = 1_000_000
    world.settle(
        [
            FilledOrder(world.bid(0, quantity_wh, 150_000), quantity_wh),
            FilledOrder(world.offer(1, quantity_wh, 150_000), quantity_wh),
        ]
    )
    world.at(SLOT + NOTICE_S)
    world.act(buyer, "withdraw")
    assert tokens(world, buyer.address) == ESCROW - 150_000 * quantity_wh
    assert world.balance(buyer.address) == 0


def test_what_came_in_after_the_request_stays(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", ESCROW)
    world.fund(member.address, 5)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    assert (world.balance(member.address), tokens(world, member.address)) == (5, ESCROW)


def test_one_members_request_is_no_other_members(world: World) -> None:
    world.act(world.members[0], "request_withdrawal", 100)
    world.time.now += 2 * NOTICE_S
    with refused("escrow: nothing requested"):
        world.act(world.members[1], "withdraw")


def test_a_withdrawal_says_what_was_paid(world: World) -> None:
    member = world.members[0]
    world.at(SLOT)
    asked = world.act(member, "request_withdrawal", 100)
    world.time.now += NOTICE_S
    paid = world.act(member, "withdraw")
    decode = world.contracts.escrow.interface.decode_event
    first, second = (decode(receipt.logs[0]) for receipt in (asked, paid))
    assert first is not None
    assert second is not None
    assert (first.name, first.arguments) == (
        "WithdrawalRequested",
        {"account": member.address, "amount": 100, "ready_at": SLOT + NOTICE_S},
    )
    assert (second.name, second.arguments) == (
        "Withdrawn",
        {"account": member.address, "amount": 100, "debt_paid": 0},
    )


def test_the_utility_withdraws_like_anyone(world: World) -> None:
    utility = world.keys["utility"]
    world.act(utility, "request_withdrawal", ESCROW)
    world.time.now += 2 * NOTICE_S
    world.act(utility, "withdraw")
    assert (world.balance(utility.address), tokens(world, utility.address)) == (0, ESCROW)


# ------------------------------------------------------------------------------------------------ debts


def test_what_escrow_does_not_cover_at_delivery_stays_owed(world: World) -> None:
    debtor, utility = world.members[0].address, world.keys["utility"].address
    run_into_debt(world, 0, LEAST_DEBT + 3 * TARIFF.retail_price)
    assert world.balance(debtor) == 0
    assert world.debt(debtor) == LEAST_DEBT + 3 * TARIFF.retail_price
    assert world.balance(utility) == 2 * ESCROW


def test_a_debt_is_paid_before_anything_is_withdrawn(world: World) -> None:
    member, utility = world.members[0], world.keys["utility"].address
    run_into_debt(world, 0, LEAST_DEBT)
    debt = world.debt(member.address)
    assert debt > 0
    world.fund(member.address, debt + 10)
    world.act(member, "request_withdrawal", debt + 10)
    world.time.now += 2 * NOTICE_S
    receipt = world.act(member, "withdraw")
    assert (world.balance(member.address), world.debt(member.address)) == (0, 0)
    assert tokens(world, member.address) == 10
    assert world.balance(utility) == 2 * ESCROW + debt
    event = world.contracts.escrow.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert event.arguments == {"account": member.address, "amount": 10, "debt_paid": debt}


def test_a_balance_smaller_than_the_debt_pays_part_of_it_and_nothing_is_left_to_withdraw(world: World) -> None:
    member, utility = world.members[0], world.keys["utility"].address
    run_into_debt(world, 0, LEAST_DEBT)
    debt = world.debt(member.address)
    world.fund(member.address, debt - 1)
    world.act(member, "request_withdrawal", debt - 1)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    assert (world.balance(member.address), world.debt(member.address)) == (0, 1)
    assert tokens(world, member.address) == 0
    assert world.balance(utility) == 2 * ESCROW + debt - 1


def test_a_withdrawal_beside_a_debt_leaves_the_rest_of_the_balance(world: World) -> None:
    member = world.members[0]
    run_into_debt(world, 0, LEAST_DEBT)
    debt = world.debt(member.address)
    world.fund(member.address, debt + 10)
    world.act(member, "request_withdrawal", 3)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    assert (world.balance(member.address), tokens(world, member.address)) == (7, 3)


def test_a_debt_is_paid_first_at_the_next_delivery(world: World) -> None:
    debtor, utility = world.members[0].address, world.keys["utility"].address
    run_into_debt(world, 0, LEAST_DEBT)
    debt = world.debt(debtor)
    world.fund(debtor, debt + 5)
    deliver_consumption(world, SLOT + 900, {})
    assert (world.balance(debtor), world.debt(debtor)) == (5, 0)
    assert world.balance(utility) == 2 * ESCROW + debt


def test_what_a_debtor_feeds_in_pays_its_debt(world: World) -> None:
    debtor = world.members[0].address
    run_into_debt(world, 0, LEAST_DEBT + TARIFF.retail_price)
    debt = world.debt(debtor)
    world.commit(SLOT + 900)
    world.settle([], slot=SLOT + 900)
    generation_wh = debt // TARIFF.feed_in_price
    readings = [MemberReading(key.address, 0, 0) for key in world.members[1:]]
    world.deliver([MemberReading(debtor, 0, generation_wh), *readings], slot=SLOT + 900)
    assert world.balance(debtor) == 0
    assert world.debt(debtor) == debt - generation_wh * TARIFF.feed_in_price


def test_a_debt_that_does_not_fit_the_account_word_is_refused(world: World) -> None:
    slot = SLOT + 9 * 86_400  # as far ahead as a tariff must be announced
    costly = {"retail_price": 2**30, "feed_in_price": 0, "grid_fee": 0, "from_slot": slot}
    world.act("utility", "set_tariff", MARKET, costly)
    deliver_consumption(world, slot, {0: 2**22})
    assert world.debt(world.members[0].address) == 2**52 - ESCROW
    with refused("account: debt"):
        deliver_consumption(world, slot + 900, {0: ESCROW // 2**30 + 1})
    nothing_metered = [MemberReading(key.address, 0, 0) for key in world.members]
    world.deliver(nothing_metered, slot=slot + 900)  # nothing of the refused delivery stuck


# ---------------------------------------------------------------------------------------------- epochs


def test_raising_the_epoch_changes_nothing_else_of_an_account(world: World) -> None:
    member = world.members[0]
    before = world.read("account_of", member.address)
    world.at(SLOT - TERMS.gate_lead_s)
    receipt = world.act(member, "cancel_all")
    # The gate of SLOT closes in this very second.
    raised = {"epoch": 1, "epoch_from_slot": SLOT + 900}
    assert world.read("account_of", member.address) == before | raised
    event = world.contracts.escrow.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert event.arguments == {"account": member.address, "epoch": 1, "from_slot": SLOT + 900}


def test_orders_are_cancelled_from_the_first_slot_on_whose_gate_is_open(world: World) -> None:
    world.at(SLOT - TERMS.gate_lead_s - 1)
    world.act(world.members[0], "cancel_all")
    assert world.read("account_of", world.members[0].address)["epoch_from_slot"] == SLOT


def test_orders_are_cancelled_once_a_slot(world: World) -> None:
    member = world.members[0]
    world.at(SLOT - TERMS.gate_lead_s)
    world.act(member, "cancel_all")
    world.at(SLOT + 900 - TERMS.gate_lead_s - 1)
    with refused("account: cancelled in this slot"):
        world.act(member, "cancel_all")
    world.at(SLOT + 900 - TERMS.gate_lead_s)
    world.act(member, "cancel_all")
    state = world.read("account_of", member.address)
    assert (state["epoch"], state["epoch_from_slot"]) == (2, SLOT + 1_800)


def test_each_cancellation_holds_from_its_own_slot_on(world: World) -> None:
    account = world.members[0]
    for number in (0, 1, 4):
        world.at(SLOT + 900 * number - TERMS.gate_lead_s)
        world.act(account, "cancel_all")  # for the slots after SLOT + 900 * number
    held = [
        [epoch for epoch in range(5) if world.read("is_current", account.address, SLOT + 900 * number, epoch)]
        for number in range(8)
    ]
    assert held == [[0], [1], [2], [2], [2], [3], [3], [3]]
    assert world.read("is_current", world.members[1].address, SLOT, 0)


def test_a_stranger_has_no_orders_to_cancel(world: World) -> None:
    with refused("escrow: not a member"):
        world.act(world.strangers[0], "cancel_all")


@pytest.mark.parametrize("function", ["account_of", "withdrawals"])
def test_a_stranger_has_an_empty_account(world: World, function: str) -> None:
    assert set(world.read(function, world.strangers[0].address).values()) == {0}


# --------------------------------------------------------------------------------------- a lying token


@pytest.fixture
def lying(world: World) -> World:
    return lying_world(world)


def test_a_deposit_that_the_token_denies_does_not_count(lying: World) -> None:
    with refused("escrow: transfer"):
        lying.act("treasurer", "deposit", lying.members[0].address, 1)


def test_a_withdrawal_that_the_token_denies_does_not_count(lying: World) -> None:
    member = lying.members[0]
    tell(lying, honest=True)
    lying.act("treasurer", "deposit", member.address, 1)
    lying.act(member, "request_withdrawal", 1)
    tell(lying, honest=False)
    lying.time.now += 2 * NOTICE_S
    with refused("escrow: transfer"):
        lying.act(member, "withdraw")
    assert lying.balance(member.address) == 1
