"""A node's published orders against the chain: an honest node passes, and each rule has an answer breaking it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import node.order_sets
from ledger.audit.rules import NODE_RULES
from ledger.audit.run import audit
from matching.orders import Side
from node.auditing import NothingToAuditError, audit_url
from node.cli.main import app
from node.order_sets import NodeError, OrderSets
from node.rejections import UNCOVERED_REASON
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_SUN, SLOT, Street, street

Json = dict[str, Any]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("street")) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(BUYER, Side.BID, 400, 200_000)
        found.place(OTHER_BUYER, Side.BID, 100, 90_000)
        found.advance(SLOT - found.node.market.gate_lead_s)
        yield found


class EditedOrderSets(OrderSets):
    """A node that says something else of the orders of the settled slot, the first to arrive last."""

    change: Callable[[list[Json]], object] = len
    published: int | None = None

    def _get(self, path: str, parameters: Json | None = None) -> Json:
        answer = super()._get(path, parameters)
        if path == "/v1/orders" and answer["items"]:
            type(self).change(answer["items"])
        if path.endswith("/book"):
            answer["orders"] = answer["orders"][: self.published]
        return answer


def broken(found: Street, change: Callable[[list[Json]], object]) -> set[str]:
    """The rules that the changed answers break."""
    kind = type("Edited", (EditedOrderSets,), {"change": staticmethod(change)})
    order_sets = kind(found.node.url, found.node.chain)
    try:
        report = audit(found.node.chain, order_sets.exchange, on_settled=order_sets)
    finally:
        order_sets.close()
    return {finding.rule for finding in report.findings}


def rejected(orders: list[Json]) -> None:
    orders[1] |= {"status": "rejected", "reason": UNCOVERED_REASON}


def with_wishes(orders: list[Json]) -> None:
    wish = {"trait": "source", "accepted": ["solar"], "premium": None}
    orders[0]["statement"] = {"wishes": [wish], "nonce": 1}


def turned(text: str) -> str:
    """A hexadecimal text with another digit in the middle."""
    place = len(text) // 4
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]


CHANGES: dict[str, Callable[[list[Json]], object]] = {
    "node.order": lambda orders: orders[0].update(salt="7"),
    "node.signature": lambda orders: orders[0].update(signature=turned(orders[0]["signature"])),
    "node.receipt": lambda orders: orders[0].update(received_at=1),
    "node.wishes": with_wishes,
    "node.arrivals": lambda orders: orders.pop(),
    "node.missing": lambda orders: orders.pop(),
    "node.rejection": rejected,
    "node.clearing": lambda orders: orders[1].update(quantity_wh=200),
    "node.price": lambda orders: orders[1].update(price=150_000),
}


def test_an_honest_node_passes(settled: Street) -> None:
    audited = audit_url(settled.node.chain, None, settled.node.url)
    assert audited.findings == ()
    assert audited.with_node
    assert audited.checks > audit(settled.node.chain, settled.node.contracts.exchange.address).checks


@pytest.mark.parametrize("rule", CHANGES)
def test_an_answer_that_breaks_a_rule_is_found(settled: Street, rule: str) -> None:
    assert broken(settled, len) == set()
    assert rule in broken(settled, CHANGES[rule])


def test_a_book_that_is_not_the_committed_one_is_found(settled: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EditedOrderSets, "published", 1)
    assert {"node.book", "node.missing"} <= broken(settled, len)


def test_every_rule_in_the_code_has_an_answer_that_breaks_it() -> None:
    source = re.sub(r"^    code = .*$", "", Path(node.order_sets.__file__).read_text(), flags=re.MULTILINE)
    assert set(re.findall(r'"(node\.[a-z_]+)"', source)) == set(NODE_RULES) == {*CHANGES, "node.book"}


def test_another_exchange_or_no_node_cannot_be_audited(settled: Street) -> None:
    with pytest.raises(NothingToAuditError, match="trades on exchange"):
        audit_url(settled.node.chain, b"\x01" * 20, settled.node.url)
    with pytest.raises(NodeError):
        audit_url(settled.node.chain, None, "http://127.0.0.1:1")
    with pytest.raises(NodeError):
        audit_url(settled.node.chain, None, settled.node.chain_url)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["audit", *arguments])


def test_the_command_audits_a_node_and_its_chain(settled: Street, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.json"
    rpc, url = settled.node.chain_url, settled.node.url
    for resumed in (False, True):
        result = run("--rpc", rpc, "--node", url, "--checkpoint", str(checkpoint), "--json")
        assert result.exit_code == 0, result.output
        summary = json.loads(result.output)
        assert (summary["filled_orders"], summary["traded_wh"], summary["findings"]) == (2, 400, [])
        assert (summary["resumed_from"] is not None) is resumed
    assert "Everything holds" in run("--rpc", rpc, "--node", url).output


def test_the_command_ends_with_status_2_if_it_could_not_audit(settled: Street, tmp_path: Path) -> None:
    rpc, exchange = settled.node.chain_url, "0x" + settled.node.contracts.exchange.address.hex()
    (tmp_path / "damaged.json").write_text("{}")
    for arguments in (
        ("--rpc", "http://127.0.0.1:1", "--exchange", exchange),
        ("--rpc", rpc, "--exchange", "0x" + "13" * 20),
        ("--rpc", rpc, "--exchange", exchange, "--checkpoint", str(tmp_path / "damaged.json")),
        ("--rpc", rpc, "--node", "http://127.0.0.1:1"),
        ("--rpc", rpc),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
    assert run("--rpc", rpc, "--exchange", exchange).exit_code == 0
