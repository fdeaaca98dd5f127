"""The demonstration from outside: a day is traded, settled, delivered, certified and adds up, slot by slot."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.abi import interface
from ledger.deployment import attach
from matching.orders import Side
from node.store.records import OrderStatus, SlotState
from tests.system.demo import Demo, Remains, opened

SHORT = 4
WHOLE = 96


@pytest.fixture(scope="module")
def short_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    data = tmp_path_factory.mktemp("short")
    return Demo(data, SHORT).finish(), data


@pytest.fixture(scope="module")
def remains(short_day: tuple[str, Path]) -> Iterator[Remains]:
    with opened(short_day[1]) as found:
        yield found


def test_the_day_ends_with_its_figures_and_a_clean_audit(short_day: tuple[str, Path]) -> None:
    output, _ = short_day
    for promised in (
        "First slot settled",
        "traded in the community",
        "imported from the grid",
        "exported to the grid",
        "self-sufficiency",
        "self-consumption",
        "home-17",
        "certificates issued",
        "certificates retired",
        "gas used",
        "blocks on the chain",
        "nothing wrong",
    ):
        assert promised in output
    assert re.search(r"http://127\.0\.0\.1:\d+/verify/0x[0-9a-f]{64}\b", output)


def test_every_slot_of_a_short_day_adds_up(remains: Remains) -> None:
    check_every_slot(remains, SHORT)


def test_a_second_run_finds_the_day_done_and_changes_nothing(short_day: tuple[str, Path], tmp_path: Path) -> None:
    data = tmp_path / "copy"
    shutil.copytree(short_day[1], data)
    with opened(data) as before:
        head, orders = before.chain.head(), before.store.orders()
    output = Demo(data, SHORT).finish()
    assert "Going on where the last run stopped" in output
    with opened(data) as after:
        assert after.chain.head() == head
        assert after.store.orders() == orders


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_slot_of_the_whole_day_adds_up(tmp_path: Path) -> None:
    output = Demo(tmp_path, WHOLE, first_slot=0).finish(timeout_s=800)
    assert "nothing wrong" in output
    with opened(tmp_path) as found:
        check_every_slot(found, WHOLE)


def check_every_slot(remains: Remains, slots: int) -> None:
    """The invariants that the project promises, computed here from raw records and the chain's own getters."""
    audited = remains.audit()
    assert audited.findings == ()
    model = audited.chain.model
    certified = remains.store.slots(states=[SlotState.CERTIFIED])
    assert len(certified) == slots
    devices = {device.device: device for device in remains.store.devices()}
    traded_somewhere = False
    for record in certified:
        state = model.slots[remains.store.market, record.slot]
        orders = remains.store.orders(slot=record.slot)
        assert all(
            order.status in (OrderStatus.FILLED, OrderStatus.UNFILLED, OrderStatus.REJECTED) for order in orders
        )
        # Sum of bought = sum of sold, in fills and in trades.
        bought, sold = Counter[bytes](), Counter[bytes]()
        for order in orders:
            side = bought if order.signed.order.side is Side.BID else sold
            side[order.signed.order.account] += order.fill_wh
        traded = sum(trade.quantity_wh for trade in remains.store.trades(slot=record.slot))
        assert sum(bought.values()) == sum(sold.values()) == traded == record.bought_wh
        traded_somewhere |= traded > 0
        # Metered energy = trades + imbalances, and the credits that deliver moved are those of the imbalances.
        consumption, generation = Counter[bytes](), Counter[bytes]()
        for number, reading in remains.store.readings(record.slot).items():
            metered = generation if devices[number].generates else consumption
            metered[devices[number].account] += reading.energy_wh
        net = {account: consumption[account] - generation[account] for account in consumption}
        check_balances(remains, record.slot, bought, sold, net)
        # Certificates issued = metered generation; retired <= consumption, by member.
        issued = Counter[bytes]()
        on_chain = remains.store.certified(record.slot)
        for issuance in on_chain.issuances:
            issued[devices[issuance.device].account] += issuance.certified_wh
        assert issued == +generation
        retired = Counter[bytes]()
        for match in on_chain.matches:
            retired[devices[match.consumption].account] += match.amount_wh
        assert all(retired[account] <= consumption[account] for account in retired)
        assert set(state.blocks) >= {"commit", "settle", "deliver"}
    assert traded_somewhere
    check_settled_once(remains)


def check_balances(
    remains: Remains, slot: int, bought: Counter[bytes], sold: Counter[bytes], net: dict[bytes, int]
) -> None:
    """What the exchange's accounts gained and lost in this slot's two transactions, by the chain's own getters."""
    contracts = attach(remains.chain, remains.deployment.exchange)
    accounts = [member.account for member in remains.store.members()]
    utility = contracts.markets.read("terms_of", remains.deployment.market)["utility"]
    tariff = contracts.markets.read("tariff_at", remains.deployment.market, slot)

    def balances(block: int) -> dict[bytes, int]:
        return {
            account: contracts.exchange.read("account_of", account, block_number=block)["balance"]
            for account in (*accounts, utility)
        }

    blocks = {
        record.intent.step: record.block_number
        for record in remains.store.intents(slot)
        if record.block_number is not None
    }
    record = remains.store.slot(slot)
    assert record is not None
    price = record.price or 0
    before, settled = balances(blocks["settle"] - 1), balances(blocks["settle"])
    assert sum(before.values()) == sum(settled.values())
    for account in accounts:
        assert settled[account] - before[account] == price * (sold[account] - bought[account])
    before, delivered = balances(blocks["deliver"] - 1), balances(blocks["deliver"])
    assert sum(before.values()) == sum(delivered.values())
    for account in accounts:
        contracted = bought[account] - sold[account]
        imbalance = net[account] - contracted
        price_of_imbalance = tariff["retail_price"] if imbalance > 0 else tariff["feed_in_price"]
        due = price_of_imbalance * imbalance + tariff["grid_fee"] * max(contracted, 0)
        assert delivered[account] - before[account] == -due


def check_settled_once(remains: Remains) -> None:
    """Every step of every slot has exactly one event on chain."""
    face, issuance = interface("exchange"), interface("issuance")
    head = remains.chain.head().number
    certified = remains.chain.logs(first_block=0, last_block=head, topics=[issuance.topic("Certified")])
    assert set(Counter(log.topics[2] for log in certified).values()) <= {1}
    for name in ("BookCommitted", "Settled", "Delivered"):
        logs = remains.chain.logs(
            first_block=0, last_block=head, address=remains.deployment.exchange, topics=[face.topic(name)]
        )
        counts = Counter(log.topics[2] for log in logs)
        assert set(counts.values()) == {1}, name
