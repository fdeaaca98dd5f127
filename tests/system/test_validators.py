"""A market of which three of four validators must approve every settlement, on a real node and chain."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.deployment import transact
from ledger.onboarding import fund
from ledger.settlement import SlotPhase
from matching.orders import Side
from matching.wishes import Trait
from node import lifecycle
from node.approvals import Approvals, Proposal
from node.cli.main import app
from node.client import ApiProblemError
from node.design import Cleared, Design
from node.rejections import EXPIRED_REASON, UNCOVERED_REASON
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.validating.proposal import ProposalClient
from node.wishes import StatedWish, Statement
from tests.system.court import VALIDATORS, Court, court
from tests.system.proxy import dropping_approvals
from tests.system.recourse import post
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT


@pytest.mark.slow
def test_slots_go_through_with_four_processes_that_validate(tmp_path: Path) -> None:
    slots = [SLOT + 900 * number for number in range(3)]
    with court(tmp_path) as found:
        found.place_four()
        found.place_four(slots[2])  # and none for the slot between
        with found.running(0), found.running(1), found.running(2), found.running(3):
            for number, slot in enumerate(slots, start=1):
                found.close_gate(slot)
                assert found.state(slot) is SlotState.CLEARED
                found.wait_for_approvals(3, slot)
                found.close_gate(slot)
                assert found.state(slot) is SlotState.SETTLED
                found.street.advance(slot + 600)
                found.street.advance(slot + 900 - 300 if number < len(slots) else slot + 900)
        for number, slot in enumerate(slots, start=1):
            found.street.meter(400, 500, slot=slot, sequence=number)
        found.street.advance(slots[-1] + 900)
        assert [found.state(slot) for slot in slots] == [SlotState.CERTIFIED] * 3
        found.street.check_audit()


@pytest.mark.slow
@pytest.mark.parametrize("design", ["discriminatory", "continuous", "preferences"])
def test_a_slot_of_another_design_is_cleared_again_by_that_design(design: str, tmp_path: Path) -> None:
    wish = Statement((StatedWish(Trait.SOURCE, ("solar",)),), nonce=1) if design == "preferences" else None
    with court(tmp_path, design, approvals=1) as found:
        found.place_four()
        found.street.place(OTHER_BUYER, Side.BID, 100, 190_000, wish)
        found.close_gate()
        assert [verdict["code"] for verdict in found.look(0)] == [None]
        found.close_gate()
        assert found.state() is SlotState.SETTLED
        found.street.meter_after_the_slot(400, 500)
        found.street.check_audit(design)


def test_posted_orders_are_cleared_again_with_the_book(tmp_path: Path) -> None:
    with court(tmp_path, approvals=1) as found:
        offer, _, bid, _ = found.place_four()
        post(found.street, BUYER, Side.BID, 500, 200_000)  # in the book as well
        only_posted = post(found.street, OTHER_BUYER, Side.BID, 100, 210_000, salt=7)
        found.close_gate()
        assert [verdict["code"] for verdict in found.look(3)] == [None]
        found.close_gate()
        assert found.state() is SlotState.SETTLED
        assert [found.street.fill(order) for order in (offer, bid, only_posted)] == [400, 500, 100]


# ---------------------------------------------------------------------------------- an operator that lies


@dataclass(frozen=True)
class LyingDesign(Design):
    """Clears as the market does, and then something else."""

    lie: str = ""

    def clear(self, orders: Sequence[OrderRecord]) -> Cleared:
        if not orders:
            return super().clear(orders)
        best = max(orders, key=lambda record: record.signed.order.price)
        if self.lie == "leaves out a better order":
            return super().clear([record for record in orders if record is not best])
        cleared = super().clear(orders)
        if self.lie == "another price":
            assert cleared.price is not None
            return replace(cleared, price=cleared.price - 1)
        assert self.lie == "another fill"
        fills = [
            replace(fill, fill_wh=fill.fill_wh - 1) if fill.signed.hash == best.signed.hash else fill
            for fill in cleared.fills
        ]
        return replace(cleared, fills=tuple(fills), trades=())


LIES = {
    "another fill": "refused.fill",
    "another price": "refused.price",
    "leaves out a better order": "refused.fill",
    "says that it is not covered": "refused.rejection",
    "says that it expires": "refused.rejection",
    "hides it": "refused.book",
}

DEFAULT_LIES = ("leaves out a better order", "another price")
"""The others take long together."""


def lie(found: Court, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    node = found.street.node
    if kind == "hides it":
        honest = Approvals.proposal

        def hiding(self: Approvals, slot: int) -> Proposal:
            proposal = honest(self, slot)
            return replace(proposal, orders=tuple(order for order in proposal.orders if order.fill_wh == 0))

        monkeypatch.setattr(Approvals, "proposal", hiding)
    elif kind.startswith("says"):
        reason = EXPIRED_REASON if "expires" in kind else UNCOVERED_REASON

        def excuse(orders: Sequence[OrderRecord], *_: object, **__: object) -> dict[bytes, str]:
            best = sorted(orders, key=lambda record: record.signed.order.price)[-1:]
            return {record.signed.hash: reason for record in best}

        monkeypatch.setattr(lifecycle, "rejected", excuse)
        monkeypatch.setattr(lifecycle, "to_report", lambda *_: [])
    else:
        node.lifecycle._design = LyingDesign("uniform", node.store.devices, lie=kind)


@pytest.mark.parametrize(
    "kind", [kind if kind in DEFAULT_LIES else pytest.param(kind, marks=pytest.mark.slow) for kind in LIES]
)
def test_an_operator_that_lies_gets_no_approvals_and_its_slot_is_voided(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with court(tmp_path) as found:
        orders = found.place_four()
        lie(found, kind, monkeypatch)
        found.close_gate()
        assert found.state() is SlotState.CLEARED
        for seat in range(4):
            (verdict,) = found.look(seat, status=1)
            assert verdict["code"] == LIES[kind], verdict
            assert [line["code"] for line in found.refusals(seat)] == [LIES[kind]]
        found.close_gate()
        assert found.state() is SlotState.CLEARED
        found.street.advance(found.street.node.market.void_after(SLOT) + 1)
        assert found.state() is SlotState.VOIDED
        statuses = {found.street.clients[0].order(order).status for order in orders}
        assert statuses == {OrderStatus.VOIDED}
        assert [found.street.position(member) for member in range(4)] == [0] * 4


# ---------------------------------------------------------------------------------- a validator that lies


@pytest.mark.parametrize(
    "lies", [b"\x00" * 65, VALIDATORS[1].sign(b"\x07" * 32), bytes(32) + b"\x01" * 32 + b"\x1b"]
)
def test_a_validator_that_signs_garbage_changes_nothing(lies: bytes, tmp_path: Path) -> None:
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        with ProposalClient(found.street.node.url) as client:
            for seat in (0, 1):
                with pytest.raises(ApiProblemError, match="signature"):
                    client.approve(SLOT, VALIDATORS[seat].address, lies)
            assert client.approvers(SLOT) == []
        for seat in (0, 2, 3):
            found.look(seat)
        found.close_gate()
        assert found.state() is SlotState.SETTLED


def test_a_validator_that_signs_anything_does_not_help_an_operator_that_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with court(tmp_path) as found:
        found.place_four()
        lie(found, "another price", monkeypatch)
        found.close_gate()
        with ProposalClient(found.street.node.url) as client:
            digest = bytes.fromhex(client.proposal(SLOT)["digest"][2:])
            client.approve(SLOT, VALIDATORS[1].address, VALIDATORS[1].sign(digest))
            for seat in (0, 2, 3):
                found.look(seat, status=1)
            assert client.approvers(SLOT) == [VALIDATORS[1].address]
        found.close_gate()
        assert found.state() is SlotState.CLEARED


# ------------------------------------------------------------------------- validators that are not there


def test_a_slot_waits_while_two_are_silent_and_goes_on_when_one_comes_back(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        for seat in (0, 3):
            assert len(found.look(seat)) == 1
            assert found.look(seat) == []
            assert "Nothing is proposed" in found.said(seat)
        for _ in range(2):
            found.close_gate()
            assert found.state() is SlotState.CLEARED
        found.look(2)
        found.close_gate()
        assert found.state() is SlotState.SETTLED
        found.street.meter_after_the_slot(400, 500)
        found.street.check_audit()


def test_a_validator_that_is_killed_between_signing_and_sending_sends_it_later(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        with dropping_approvals(found.street.node.url) as proxy, found.running(1, proxy.url) as process:
            proxy.wait_for_approval()
            process.kill()
        lines = (tmp_path / "validator-1" / "signed.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["slot"] == SLOT
        with ProposalClient(found.street.node.url) as client:
            assert client.approvers(SLOT) == []
            assert [verdict["code"] for verdict in found.look(1)] == [None]
            assert client.approvers(SLOT) == [VALIDATORS[1].address]
        assert (tmp_path / "validator-1" / "signed.jsonl").read_text().splitlines() == lines


def test_a_validator_that_signed_one_settlement_signs_no_other_however_right(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        _, _, bid, _ = found.place_four()
        found.close_gate()
        found.look(0)
        # The bid's cover is asked back, and the operator clears again, as it does when a settlement is refused.
        found.street.act(BUYER, "request_withdrawal", DEPOSIT)
        found.street.node.store.discard_clearing(SLOT)
        found.close_gate()
        assert found.state() is SlotState.CLEARED
        assert found.street.clients[0].order(bid).reason == UNCOVERED_REASON
        (verdict,) = found.look(0, status=1)
        assert verdict["code"] == "refused.signed_other"
        for seat in (1, 2, 3):
            found.look(seat)
        found.close_gate()
        assert found.state() is SlotState.SETTLED


def test_approvals_survive_the_nodes_restart(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        for seat in (1, 2):
            found.look(seat)
    with court(tmp_path) as found:
        assert found.state() is SlotState.CLEARED
        assert found.look(2) == []
        found.look(3)
        found.close_gate()
        assert found.state() is SlotState.SETTLED


def test_no_chunk_of_a_slot_is_settled_before_all_of_it_is_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.settlement.FILLS_PER_TRANSACTION", 1)
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        phase = found.street.node.lifecycle._steps.settlement.phase
        for seat in (0, 1):
            found.look(seat)
            found.close_gate()
            assert phase(SLOT) is SlotPhase.OPEN
        found.look(2)
        found.close_gate()
        assert phase(SLOT) is SlotPhase.SETTLED
        steps = {each.intent.step for each in found.street.node.store.intents(SLOT)}
        assert steps == {"commit", "settle-0", "settle-1", "settle"}
        found.street.meter_after_the_slot(400, 500)
        found.street.check_audit()


def test_what_changed_since_the_clearing_does_not_make_it_wrong(tmp_path: Path) -> None:
    with court(tmp_path, approvals=1) as found:
        _, _, bid, _ = found.place_four()
        found.street.act(BUYER, "request_withdrawal", DEPOSIT)
        found.close_gate()
        assert found.street.clients[0].order(bid).reason == UNCOVERED_REASON
        node = found.street.node
        fund(node.contracts, node.config.parties.treasurer, found.street.keys[BUYER].address, DEPOSIT)
        assert [verdict["code"] for verdict in found.look(2)] == [None]
        found.close_gate()
        assert found.state() is SlotState.SETTLED


def test_a_seat_that_was_handed_over_is_the_heirs(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        node, heir = found.street.node, found.street.keys[SELLER_OF_STORED]
        found.place_four()
        found.close_gate()
        for seat in (0, 1, 2):
            found.look(seat)
        markets, market = node.contracts.markets, node.market.id
        transact(markets, VALIDATORS[0], markets.interface.call("offer_role", market, 16, heir.address))
        transact(markets, heir, markets.interface.call("accept_role", market, 16))
        found.close_gate()
        assert found.state() is SlotState.CLEARED
        found.look(3)
        found.close_gate()
        assert found.state() is SlotState.SETTLED


def test_whoever_has_no_seat_cannot_validate(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        options = found.options(0)
        stranger = tmp_path / "key"
        stranger.write_text(found.street.keys[SELLER_OF_SUN].secret.hex())
        options[options.index("--key") + 1] = str(stranger)
        result = CliRunner().invoke(app, [*options, "--once"])
        assert result.exit_code == 2
        assert "none of the market's validators" in result.stderr
