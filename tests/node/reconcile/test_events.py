"""Events are held against the slots, orders and certificates that they tell of; what is only noted is not."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from ledger.audit.findings import Findings
from ledger.audit.run import audit
from matching.orders import Side
from node.design import Design
from node.reconcile import Reconciliation
from node.store import Store
from node.store.copying import copy_file
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_SUN, street

Rules = Callable[[str], set[str]]


@pytest.fixture(scope="module")
def rules_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rules]:
    """Changes a copy of the store of a slot that is certified, and says which rules it breaks then."""
    with street(tmp_path_factory.mktemp("market")) as found:
        for price in (190_000, 185_000):
            found.clients[OTHER_BUYER].cancel(found.place(OTHER_BUYER, Side.BID, 400, price))
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(BUYER, Side.BID, 400, 190_000)
        found.trade_and_deliver(400, 400)
        node = found.node
        report = audit(node.chain, node.contracts.exchange.address, keep_slots=True)

        def changed(statements: str) -> set[str]:
            copy, findings = tmp_path_factory.mktemp("copy") / "store.sqlite", Findings()
            copy_file(node.config.data / "store.sqlite", copy)
            with closing(sqlite3.connect(copy)) as database:
                database.executescript(statements)
            with closing(Store(f"sqlite:///{copy}", domain=node.store.domain, market=node.market.id)) as store:
                design = Design("uniform", store.devices)
                Reconciliation(
                    store=store, report=report, chain=node.chain, design=design, findings=findings
                ).run()
            return {finding.rule for finding in findings.found}

        yield changed


@pytest.mark.parametrize(
    "statements",
    [
        "",
        # A store that was made anew lacks the beginning.
        """DELETE FROM events WHERE number < 6;
           UPDATE events SET kind = 'store_restored', slot = 0, account = NULL, details = '{}'
             WHERE number = 6;""",
        # Nothing else says in which order orders were cancelled.
        """UPDATE events SET number = number - 6 WHERE kind = 'order_cancelled';
           UPDATE events SET number = -number WHERE number < 0;""",
    ],
    ids=["untouched", "restored", "cancelled otherwise"],
)
def test_what_a_store_may_tell_is_no_finding(rules_after: Rules, statements: str) -> None:
    assert rules_after(statements) == set()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("DELETE FROM events WHERE number = 1", "store.events.first"),
        ("DELETE FROM events WHERE number = 5", "store.events.numbers"),
        ("DELETE FROM events WHERE number = (SELECT max(number) FROM events)", "store.events.certificates"),
        ("DELETE FROM events", "store.events.states"),
        ("UPDATE events SET number = -number WHERE number > 5", "store.events.first"),
        ("UPDATE events SET kind = 'order_accepted' WHERE kind = 'order_cancelled'", "store.events.cancelled"),
        ("UPDATE events SET account = zeroblob(20) WHERE kind = 'order_cancelled'", "store.events.cancelled"),
        ("UPDATE events SET account = zeroblob(20) WHERE kind = 'order_accepted'", "store.events.accepted"),
        ("UPDATE events SET other = zeroblob(20) WHERE kind = 'slot_settled'", "store.events.states"),
        ("UPDATE events SET kind = 'slot_voided' WHERE kind = 'slot_settled'", "store.events.states"),
        ("UPDATE events SET slot = slot + 900 WHERE kind = 'slot_settled'", "store.events.slots"),
        ("UPDATE events SET details = replace(details, '400', '401')", "store.events.certificates"),
        ("UPDATE events SET details = '{' WHERE number = 1", "store.unreadable"),
        ("UPDATE events SET kind = 'slot_sold' WHERE number = 1", "store.unreadable"),
    ],
)
def test_what_did_not_happen_is_found(rules_after: Rules, statement: str, rule: str) -> None:
    assert rule in rules_after(statement)
