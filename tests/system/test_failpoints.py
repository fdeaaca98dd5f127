"""A node is killed at each write and each send of a slot's life: what was answered stays; what settles, once."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.certificates.history import read_history
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.deployment import attach
from ledger.jsonrpc import JsonRpcChain
from node.failpoints import NO_POINT, POINTS, UnknownFailpointError, failpoint_of
from node.store.records import OrderStatus, SlotState
from tests.anvil import running_anvil
from tests.system.demo import opened
from tests.system.mortal import NEVER, SLOT, Mortal, live, mortal
from tests.system.recourse import served_chain
from tests.system.test_on_anvil import Anvil

ROOT = Path(__file__).parents[2]

IN_NO_LIFE = {
    "set_fact": "the clock's hand, and what readiness tries",
    "add_fact": "a payment's reference, which is entered again by hand under another",
    "add_member": "onboarding begins again by hand",
    "add_device": "the same",
    "add_meter_key": "the same",
    "close_device": "the same",
    "add_sent": "a member's own transaction, which it hands in again",
    "add_statement": "made again when asked for again",
    "add_private_text": "written before the retirement that it belongs to",
    "discard_clearing": "the clearing is computed again; see test_lifecycle",
    "record_proposal": "validators; see test_validators",
    "add_approval": "the same",
    "add_ocmf": "readings that come in OCMF",
    "add_cover": "the same",
    "prune_events": "forgets what was told long ago",
    "tell_restored": "said of a restored or rebuilt store, before a node has it",
}
"""Writes of the store that are no failpoints, and why."""

WORST = ("store.add_orders:2", "sent.commit", "store.note_intent.settle", "store.record_settled", "sent.deliver")
"""After an answer; and where the chain knows more than the store."""

OF_STEPS = tuple(
    point for point in POINTS if point.startswith(("send.", "sent.", "store.record_intent.", "store.note_intent."))
)
"""Where a transaction is under way. The others only write to the store, wherever the chain is."""

ENDS = {
    SLOT: (OrderStatus.FILLED, OrderStatus.CANCELLED),
    SLOT + 900: (OrderStatus.VOIDED,),
}


def check_what_is_left(data: Path, orders: list[bytes], rpc_url: str | None = None) -> None:
    """No answered order is lost, each slot was settled once or voided, and the audit has no findings.

    What was requested is decided and issued.
    """
    with opened(data, rpc_url) as left:
        for order in orders:
            record = left.store.order(order)
            assert record is not None
            assert record.status in ENDS[record.signed.order.slot]
        assert [trade.quantity_wh for trade in left.store.trades(slot=SLOT)] == [400]
        contracts = attach(left.chain, left.deployment.exchange)
        requested = CertificateId(SLOT + 900, 2, CertificateKind.CONSUMPTION)
        assert read_history(contracts).records[requested].issued_wh == 100
        exchange = contracts.exchange
        head = left.chain.head().number
        ends = {
            name: [event.arguments["slot"] for event in exchange.events([name], first_block=0, last_block=head)]
            for name in ("Settled", "Voided", "Delivered")
        }
        records = left.store.slots()
        assert sorted(ends["Settled"] + ends["Voided"]) == [record.slot for record in records]
        assert SLOT in ends["Settled"]
        assert SLOT + 900 in ends["Voided"]
        certified = [record.slot for record in records if record.state is SlotState.CERTIFIED]
        assert sorted(set(ends["Delivered"])) == certified
        assert len(certified) >= 2
        assert left.audit().findings == ()


def kill_everywhere(node: Mortal, points: tuple[str, ...], data: Path, rpc_url: str | None = None) -> None:
    orders = live(node, points)
    node.kill()
    assert node.died_of == list(points)
    check_what_is_left(data, orders, rpc_url)


def test_a_slots_whole_life_reaches_these_points_and_no_others(tmp_path: Path) -> None:
    with mortal(tmp_path) as node:
        live(node, [NEVER])
        assert node.reached().keys() - {NO_POINT} == set(POINTS)


def test_a_slot_is_settled_once_though_the_node_dies_where_most_could_go_wrong(tmp_path: Path) -> None:
    with mortal(tmp_path) as node:
        kill_everywhere(node, WORST, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_a_slot_is_settled_once_though_the_node_dies_at_each_point_of_its_life(tmp_path: Path) -> None:
    with mortal(tmp_path) as node:
        kill_everywhere(node, POINTS, tmp_path)


@pytest.fixture(params=["our own chain", "anvil"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[tuple[str, Callable[[int], None]]]:
    """A chain behind a URL, and how its clock is put forward."""
    if request.param == "anvil":
        with running_anvil(timestamp=SLOT - 1_200) as url:
            yield url, lambda now: put_forward(url, now)
        return
    with served_chain() as (time, url):
        yield url, lambda now: setattr(time, "now", now)


def put_forward(url: str, now: int) -> None:
    """Anvil's clock goes on meanwhile, and may be there already."""
    with closing(JsonRpcChain(url)) as chain:
        if chain.head().timestamp < now:
            Anvil(url).put_clock(now)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_a_chain_elsewhere_goes_on_while_the_node_dies_at_each_point_of_a_step(
    tmp_path: Path, elsewhere: tuple[str, Callable[[int], None]]
) -> None:
    url, set_clock = elsewhere
    with mortal(tmp_path, url, set_clock) as node:
        kill_everywhere(node, OF_STEPS, tmp_path, url)


def test_every_write_of_the_store_is_a_failpoint_or_in_no_slots_life() -> None:
    assert {point.split(".")[1] for point in POINTS if point.startswith("store.")}.isdisjoint(IN_NO_LIFE)
    assert writes_of_the_store() == {
        *IN_NO_LIFE,
        *(point.split(".")[1] for point in POINTS if point.startswith("store.")),
    }


def writes_of_the_store() -> set[str]:
    """The names of the store's public methods in which a transaction begins that writes."""
    found = set()
    for path in (ROOT / "node" / "store").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
                if any(isinstance(call, ast.Attribute) and call.attr == "_write" for call in calls):
                    found.add(node.name)
    return found


def test_the_page_about_operation_lists_the_points() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = page[page.index("### Failpoints") :]
    assert tuple(re.findall(r"`((?:store|send|sent)\.[a-z_.]+)`", listed)) == POINTS
    assert f"at {len(OF_STEPS)} of the {len(POINTS)}" in " ".join(listed.split())


@pytest.mark.parametrize(
    "text", ["nowhere", "store.add_orders:0", "store.add_orders:twice", "store.add_orders:-1"]
)
def test_no_other_name_is_a_failpoint(text: str) -> None:
    with pytest.raises(UnknownFailpointError, match=text):
        failpoint_of(text)


def test_a_node_without_a_failpoint_uses_the_store_as_it_is() -> None:
    assert failpoint_of(None) is None
    assert failpoint_of("") is None
