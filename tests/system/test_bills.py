"""Bills on a real node and chain: over members and months they come to what moved on chain."""

import json
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from ledger.market import read_account
from matching.orders import Side
from node.cli.main import app
from node.store.records import SlotState
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_SUN, Street, street

BERLIN = "Europe/Berlin"
DECEMBER_AT = 1_701_385_200
"""Midnight in Berlin, where it is still November in London and in Greenwich."""
SLOTS = (DECEMBER_AT - 900, DECEMBER_AT)


def trade(market: Street) -> None:
    """Two slots, either side of midnight; one buyer consumes what it bought and more, the other nothing."""
    for slot in SLOTS:
        market.place(SELLER_OF_SUN, Side.OFFER, 3_000, 100_000, slot=slot)
        market.place(BUYER, Side.BID, 1_500, 180_000, slot=slot)
    market.place(OTHER_BUYER, Side.BID, 700, 150_000, slot=SLOTS[1])
    market.advance(SLOTS[1] + 900)
    for sequence, slot in enumerate(SLOTS, start=1):
        market.meter(2_500, 1_900, slot=slot, sequence=sequence)
    market.advance(SLOTS[1] + 900)


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("bills"), slot=SLOTS[0]) as market:
        trade(market)
        yield market


def test_bills_over_members_and_months_are_what_moved_on_chain(billed: Street) -> None:
    node = billed.node
    assert [node.store.slot(slot).state for slot in SLOTS] == [SlotState.CERTIFIED] * 2  # type: ignore[union-attr]
    months = [billed.clients[0].bills(month, time_zone=BERLIN) for month in ("2023-11", "2023-12")]
    total_nano = 0
    for key in billed.keys:
        on_chain = read_account(node.contracts, key.address)
        left_nano = DEPOSIT - (on_chain.balance_nano - on_chain.debt_nano)
        billed_nano = sum(bill.total_nano for month in months for bill in month if bill.account == key.address)
        assert billed_nano == left_nano
        total_nano += billed_nano
    utility = read_account(node.contracts, node.market.utility)
    assert utility.balance_nano == DEPOSIT + total_nano
    november, december = ({bill.account: bill for bill in month} for month in months)
    buyer, other = (billed.keys[member].address for member in (BUYER, OTHER_BUYER))
    assert (november[buyer].bought_wh, december[buyer].bought_wh) == (1_500, 1_500)
    assert (november[other].bought_wh, december[other].to_utility_wh) == (0, 700)
    assert november[buyer].from_utility_wh == 400
    assert november[buyer].saving_nano > 0 > december[other].saving_nano


def test_a_month_that_is_over_and_delivered_is_final_and_not_sent_twice(billed: Street) -> None:
    path = f"{billed.node.url}/v1/bills/0x{billed.keys[BUYER].address.hex()}"
    params = {"time_zone": BERLIN}
    first = httpx.get(f"{path}/2023-11", params=params)
    assert first.json()["is_final"]
    again = httpx.get(f"{path}/2023-11", params=params, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    present = httpx.get(f"{path}/2023-12", params=params)
    assert not present.json()["is_final"]
    assert "etag" not in present.headers
    # Greenwich has both slots in November, which is not over there.
    elsewhere = httpx.get(f"{path}/2023-11").json()
    assert (elsewhere["bought_wh"], elsewhere["is_final"]) == (3_000, False)


def test_a_bill_is_the_sum_of_its_slots(billed: Street) -> None:
    path = f"{billed.node.url}/v1/bills/0x{billed.keys[BUYER].address.hex()}/2023-11"
    bill = httpx.get(path).json()
    lines = httpx.get(f"{path}/slots").json()["items"]
    assert [line["slot"] for line in lines] == list(SLOTS)
    for name in ("total_nano", "saving_nano", "from_utility_nano", "grid_fee_nano", "bought_wh"):
        assert sum(int(line[name]) for line in lines) == int(bill[name])


def test_the_command_shows_a_bill_in_euros_and_all_bills_as_json(billed: Street) -> None:
    url = ["--url", billed.node.url, "--month", "2023-11", "--time-zone", BERLIN]
    one = CliRunner().invoke(app, ["bill", "--account", f"0x{billed.keys[BUYER].address.hex()}", *url])
    assert one.exit_code == 0, one.output
    for shown in ("2023-11", "bought from neighbours", "1.500 kWh", "from the utility", "0.400 kWh", "saved"):
        assert shown in one.output
    all_of_them = json.loads(CliRunner().invoke(app, ["bill", "--json", *url]).output)
    assert len(all_of_them) == 4
    wrong = CliRunner().invoke(app, ["bill", "--url", billed.node.url, "--month", "May"])
    assert wrong.exit_code == 1
    assert "must be a year and a month" in wrong.output
