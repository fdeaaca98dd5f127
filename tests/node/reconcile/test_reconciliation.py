"""What the audit makes of a small market's store: rejections, interrupted notes, and folders of other chains."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.deployment import deploy
from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.market import read_account
from matching.orders import Side
from node.auditing import NodeAudit, NothingToAuditError, audit_folder, audit_node
from node.cli.main import app
from node.composition import running_server
from node.design import Design
from node.parties import development_parties
from node.store.progress import Progress
from node.store.records import OrderStatus, SlotState
from tests.system.court import court
from tests.system.demo import free_port
from tests.system.recourse import post
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_SUN, SLOT, Street, street


class KilledError(BaseException):
    """Stands for a kill between two writes."""


def audited(found: Street) -> NodeAudit:
    return audit_node(found.node.chain, found.node.contracts.exchange.address, found.node.store, design="uniform")


def place_a_pair(found: Street) -> tuple[bytes, bytes]:
    return found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000), found.place(BUYER, Side.BID, 400, 190_000)


def change(data: Path, statement: str) -> None:
    with sqlite3.connect(data / "store.sqlite") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        assert database.execute(statement).rowcount > 0


def test_rejections_that_the_chain_bears_out_are_believed_and_others_are_not(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        _, covered = place_a_pair(found)
        uncovered = found.place(BUYER, Side.BID, 500, 180_000)
        found.act(BUYER, "request_withdrawal", DEPOSIT - 400 * 190_000)
        found.trade_and_deliver(400, 400)
        store = found.node.store
        assert store.order(covered).status is OrderStatus.FILLED  # type: ignore[union-attr]
        assert store.order(uncovered).status is OrderStatus.REJECTED  # type: ignore[union-attr]
        found.check_audit()
        change(
            tmp_path, "UPDATE orders SET reason = 'its account cancelled all earlier orders' WHERE reason <> ''"
        )
        assert {finding.rule for finding in audited(found).findings} == {"store.order.reason"}


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        ("record_committed", SlotState.CLOSED),
        ("record_settled", SlotState.CLEARED),
        ("record_delivered", SlotState.SETTLED),
        ("record_certified", SlotState.DELIVERED),
        ("note_intent", SlotState.CLOSED),
    ],
)
def test_a_store_that_was_stopped_before_it_could_note_a_step_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, kept: SlotState
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with street(tmp_path) as found:
        place_a_pair(found)
        owner = Progress if hasattr(Progress, method) else type(found.node.store)
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, killed)
            found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
            with pytest.raises(KilledError):
                advance_to_the_end(found)
        assert found.state() is kept
        assert audited(found).findings == ()
        change(tmp_path, "UPDATE intents SET transaction_hash = randomblob(32)")
        assert audited(found).findings


def advance_to_the_end(found: Street) -> None:
    found.node.lifecycle.advance()
    found.node.clock.advance_to(found.node.market.ends_at(SLOT))  # type: ignore[attr-defined]
    found.meter(400, 400)
    found.node.lifecycle.advance()


@pytest.mark.slow
def test_an_intent_that_voiding_overtook_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with street(tmp_path) as found:
        place_a_pair(found)
        lifecycle = found.node.lifecycle
        found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
        assert all(step(SLOT) for step in (lifecycle._close, lifecycle._commit, lifecycle._compute))
        with monkeypatch.context() as patch:
            patch.setattr("ledger.steps.Stepper._broadcast", killed)
            with pytest.raises(KilledError):
                lifecycle._settle(SLOT)
        assert audited(found).findings == ()
        change(tmp_path, "UPDATE intents SET is_final = 1 WHERE status = 'pending'")
        assert {finding.rule for finding in audited(found).findings} == {"store.intent.final"}
        change(tmp_path, "UPDATE intents SET is_final = 0 WHERE status = 'pending'")
        found.advance(found.node.market.void_after(SLOT) + 1)
        found.meter(400, 400)
        found.advance(found.node.market.void_after(SLOT) + 1)
        found.check_audit()
        change(tmp_path, "UPDATE orders SET fill_wh = 17, status = 'filled'")
        change(tmp_path, "UPDATE slots SET price = 1, bought_wh = 9")
        change(tmp_path, "DELETE FROM issuances")
        rules = {finding.rule for finding in audited(found).findings}
        assert {
            "store.order.fill",
            "store.order.status",
            "store.price",
            "store.bought_wh",
            "store.issuances",
        } <= rules


def test_a_folder_is_only_held_against_its_own_chain_and_exchange(tmp_path: Path) -> None:
    parties = development_parties()
    chain = DevChain.open(None, clock=lambda: SLOT)
    port = free_port()
    try:
        other = deploy(chain, parties.deployer, parties.roles).exchange.address
        with street(tmp_path) as found, running_server(create_app(chain), "127.0.0.1", port):
            assert audit_folder(found.node.chain, tmp_path).findings == ()
            with pytest.raises(NothingToAuditError, match="exchange"):
                audit_folder(found.node.chain, tmp_path, exchange=b"\1" * 20)
            command = ["audit", "--rpc", f"http://127.0.0.1:{port}", "--data", str(tmp_path)]
            for options in ([], ["--exchange", "0x" + other.hex()]):
                result = CliRunner().invoke(app, [*command, *options])
                assert result.exit_code == 2  # it could not be audited
                assert isinstance(result.exception, SystemExit)
                assert result.output.count("\n") == 1, result.output
    finally:
        chain.close()


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + bytes(4_096)])
def test_a_store_that_is_no_database_is_reported_without_a_traceback(tmp_path: Path, damage: bytes) -> None:
    with street(tmp_path / "whole") as found:
        data = tmp_path / "damaged"
        data.mkdir()
        deployment = (tmp_path / "whole" / "deployment.json").read_text(encoding="utf-8")
        (data / "deployment.json").write_text(deployment, encoding="utf-8")
        with pytest.raises(NothingToAuditError, match="no store"):
            audit_folder(found.node.chain, data)
        assert not (data / "store.sqlite").exists()
        (data / "store.sqlite").write_bytes(damage)
        assert audit_folder(found.node.chain, data).findings
        assert (data / "store.sqlite").read_bytes() == damage


def test_withdrawals_and_cancellations_of_everything_are_replayed(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        found.act(BUYER, "request_withdrawal", 1_000)
        found.act(SELLER_OF_SUN, "cancel_all")
        found.trade_and_deliver(400, 400)
        now = SLOT + found.node.contracts.escrow.read("withdrawal_notice_s") + 2_000
        found.node.clock.advance_to(now)  # type: ignore[attr-defined]
        found.act(BUYER, "withdraw")
        account = found.keys[BUYER].address
        model = audited(found).chain.model.accounts[account]
        assert audited(found).findings == ()
        assert model.withdrawal_nano == 0
        assert read_account(found.node.contracts, account).balance_nano == model.balance_nano


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE orders SET posted = 0 WHERE posted = 1", "store.posted"),
        ("UPDATE orders SET posted = 1 WHERE posted = 0", "store.posted"),
        ("DELETE FROM orders WHERE receipt_signature IS NULL", "store.posted"),
        ("UPDATE orders SET received_at = received_at + 1 WHERE posted = 1", "store.posted.order"),
        ("UPDATE orders SET receipt_signature = NULL WHERE posted = 0", "store.posted.order"),
        ("UPDATE orders SET receipt_signature = zeroblob(65) WHERE posted = 1", "store.order.receipt"),
        ("UPDATE orders SET fill_wh = fill_wh - 1 WHERE posted = 1", "store.order.fill"),
        ("UPDATE orders SET status = 'cancelled' WHERE posted = 1", "store.order.cancelled"),
    ],
)
def test_posted_orders_are_held_against_the_chain(tmp_path: Path, statement: str, rule: str) -> None:
    with street(tmp_path) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        post(found, BUYER, Side.BID, 400, 190_000)
        found.trade_and_deliver(400, 400)
        found.check_audit()
        change(tmp_path, statement)
        assert rule in {finding.rule for finding in audited(found).findings}


def test_a_settlement_price_that_leaves_a_better_order_out_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path) as found:
        found.place(BUYER, Side.BID, 400, 100_000)
        monkeypatch.setattr(Design, "settlement_price", lambda *_: 99_999)
        found.advance(SLOT - 300)
        monkeypatch.undo()
        assert [finding.rule for finding in audited(found).findings] == ["store.settlement_price"]


def test_an_account_that_overdrew_and_was_not_reported_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        found.place(OTHER_BUYER, Side.BID, 500, 195_000)
        found.act(OTHER_BUYER, "request_withdrawal", DEPOSIT)
        monkeypatch.setattr(found.node.lifecycle, "_report_overdrawn", lambda _: None)
        found.advance(SLOT - 300)
        assert [finding.rule for finding in audited(found).findings] == ["store.overdrawn"]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE proposals SET price = price + 1", "store.proposal"),
        ("UPDATE proposals SET digest = randomblob(32)", "store.proposal"),
        ("UPDATE proposals SET slot = slot + 1", "store.orphans"),
        ("DELETE FROM proposals", "store.proposal"),
        ("UPDATE approvals SET digest = randomblob(32)", "store.approval"),
        ("UPDATE approvals SET signature = zeroblob(65)", "store.approval"),
        ("UPDATE approvals SET validator = randomblob(20)", "store.approval"),
        ("UPDATE approvals SET slot = slot + 1", "store.orphans"),
        ("DELETE FROM approvals", "store.approvals"),
    ],
)
def test_approvals_are_held_against_what_was_cleared(
    approved: Path, tmp_path: Path, statement: str, rule: str
) -> None:
    shutil.copytree(approved, tmp_path / "copy")
    change(tmp_path / "copy", statement)
    chain = DevChain.open(tmp_path / "copy" / "chain", clock=lambda: 0)
    try:
        assert rule in {finding.rule for finding in audit_folder(chain, tmp_path / "copy").findings}
    finally:
        chain.close()


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a market with a slot that a validator approved."""
    folder = tmp_path_factory.mktemp("approved")
    with court(folder, approvals=1) as found:
        found.place_four()
        found.close_gate()
        assert audited(found.street).findings == ()
        # As if what was cleared could not be settled: it is cleared again.
        found.street.node.store.discard_clearing(SLOT)
        assert audited(found.street).findings == ()
        found.close_gate()
        assert audited(found.street).findings == ()
        found.look(0)
        found.close_gate()
        assert found.street.state() is SlotState.SETTLED
        assert audited(found.street).findings == ()
    return folder / "node"
