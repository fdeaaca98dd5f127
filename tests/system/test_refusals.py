"""Each single thing in a proposal that is not as it should be is found, and named."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.deployment import transact
from ledger.eip712 import Domain, Receipt, order_hash, receipt_hash
from ledger.keys import Key
from ledger.onboarding import fund
from matching.orders import Side
from matching.wishes import Trait
from node.cli.main import app
from node.rejections import CANCELLED_REASON, EXPIRED_REASON, NOT_A_MEMBER_REASON, UNCOVERED_REASON
from node.validating.checks import digest_to_sign
from node.validating.errors import RefusalError
from node.validating.proposal import ProposalClient, StatedProposal
from node.validating.signed import SignedSlots
from node.validating.validator import Refusals, Validator
from node.wishes import StatedWish, Statement
from tests.system.court import VALIDATORS, Court, court
from tests.system.recourse import post
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT

Fields = dict[str, Any]
OFFER, POSTED, BID, UNCOVERED = range(4)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """A proposal with an offer, an offer that is only posted, a bid, and a bid that lost its cover."""
    with court(tmp_path_factory.mktemp("court"), approvals=4) as opened:
        place = opened.street.place
        place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        post(opened.street, SELLER_OF_STORED, Side.OFFER, 400, 140_000, salt=7)
        place(BUYER, Side.BID, 500, 200_000)
        place(OTHER_BUYER, Side.BID, 500, 150_000)
        opened.street.act(OTHER_BUYER, "request_withdrawal", DEPOSIT)
        opened.close_gate()
        yield opened


@pytest.fixture(scope="module")
def honest(found: Court) -> Fields:
    with ProposalClient(found.street.node.url) as client:
        return client.proposal(SLOT)


def judged(found: Court, proposal: Fields) -> bytes:
    node = found.street.node
    return digest_to_sign(node.contracts, node.market, node.lifecycle._design, StatedProposal.parse(proposal))


def test_the_honest_proposal_is_what_a_validator_comes_to(found: Court, honest: Fields) -> None:
    assert f"0x{judged(found, honest).hex()}" == honest["digest"]


class Tampering:
    """A proposal, changed in place; orders by their part in the story."""

    def __init__(self, found: Court, fields: Fields) -> None:
        self.fields = fields
        self.domain: Domain = found.street.node.services.domain
        keys = found.street.keys
        accounts = [keys[member].address for member in (SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER)]
        by_account = {order["account"]: order for order in fields["orders"]}
        self.orders: list[Fields] = [by_account[f"0x{account.hex()}"] for account in accounts]
        self.keys = [keys[member] for member in (SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER)]

    def set(self, part: int, **values: object) -> None:
        self.orders[part].update(values)

    def rehash(self, part: int, signer: Key | None, **values: object) -> None:
        """Another order, with the hash that is its own, signed by somebody or nobody."""
        self.set(part, **values)
        stated = StatedProposal.parse(self.fields)
        row = self.fields["orders"].index(self.orders[part])
        digest = order_hash(self.domain, stated.orders[row].record.signed.order)
        self.set(part, hash=f"0x{digest.hex()}")
        if signer is not None:
            self.set(part, signature=f"0x{signer.sign(digest).hex()}")
        self.sort()

    def sort(self) -> None:
        self.fields["orders"].sort(key=lambda order: order["hash"])

    def receipt(self, part: int, signer: Key, index: int) -> None:
        order = self.orders[part]
        receipt = Receipt(
            bytes.fromhex(order["hash"][2:]), bytes.fromhex(order["market"][2:]), SLOT, index, order["received_at"]
        )
        signature = signer.sign(receipt_hash(self.domain, receipt))
        self.set(part, index=index, receipt={"signature": f"0x{signature.hex()}"})

    def drop(self, part: int) -> None:
        self.fields["orders"].remove(self.orders[part])


STRANGER = Key(b"\x77" * 32)
WISHES = Statement((StatedWish(Trait.SOURCE, ("solar",)),), nonce=1).encoded()
CHANGES: dict[str, tuple[str, Callable[[Tampering], object]]] = {
    "no orders": ("malformed", lambda t: t.fields.pop("orders")),
    "a price that is no integer": ("malformed", lambda t: t.fields.update(price=170_000.0)),
    "a fill that is no integer": ("malformed", lambda t: t.set(BID, fill_wh=True)),
    "an order that is none": ("malformed", lambda t: t.set(BID, quantity_wh=0)),
    "a digest of another length": ("digest", lambda t: t.fields.update(digest="0x00")),
    "a slot without a book": ("slot", lambda t: t.fields.update(slot=SLOT + 900)),
    "no slot at all": ("slot", lambda t: t.fields.update(slot=SLOT + 1)),
    "an order's price": ("order", lambda t: t.set(BID, price=199_999)),
    "an order twice": ("order", lambda t: t.fields["orders"].append(t.fields["orders"][-1])),
    "orders in another order": ("order", lambda t: t.fields["orders"].reverse()),
    "an order of another slot": ("order", lambda t: t.rehash(BID, t.keys[BID], slot=SLOT + 900)),
    "an order of another market": ("order", lambda t: t.rehash(BID, t.keys[BID], market="0x" + "11" * 32)),
    "an order that nobody signed": ("signature", lambda t: t.rehash(BID, None, price=199_999)),
    "an order that another signed": ("signature", lambda t: t.rehash(BID, STRANGER, price=199_999)),
    "a signature that nobody made": ("signature", lambda t: t.set(BID, signature="0x" + "00" * 65)),
    "wishes that were not signed": ("wishes", lambda t: t.set(BID, statement={"wishes": [], "nonce": 1})),
    "other wishes": ("wishes", lambda t: t.set(BID, statement=json.loads(WISHES))),
    "places in the order of arrival": ("receipt", lambda t: t.set(BID, index=7)),
    "a receipt of a stranger": ("receipt", lambda t: t.receipt(BID, STRANGER, 1)),
    "a malformed receipt": ("receipt", lambda t: t.set(BID, receipt={"signature": "0x00"})),
    "a place below zero": ("receipt", lambda t: t.set(BID, index=-1)),
    "an order without a receipt": ("receipt", lambda t: t.set(UNCOVERED, receipt=None, index=9)),
    "a posted order that came first": ("arrival", lambda t: t.set(POSTED, index=-1)),
    "two orders at one place": ("arrival", lambda t: t.set(POSTED, index=t.orders[BID]["index"])),
    "an order that is missing": ("book", lambda t: t.drop(UNCOVERED)),
    "an order too many": ("book", lambda t: t.rehash(BID, t.keys[BID], price=199_999, receipt=None)),
    "an order said not to be in the book": ("book", lambda t: t.set(BID, in_book=False)),
    "a posted order that is missing": ("posted", lambda t: t.drop(POSTED)),
    "a posted order said not to be": ("posted", lambda t: t.set(POSTED, posted=False)),
    "an order said to be posted": ("posted", lambda t: t.set(BID, posted=True)),
    "an order left out as uncovered": ("rejection", lambda t: t.set(BID, reason=UNCOVERED_REASON)),
    "an order left out as cancelled": ("rejection", lambda t: t.set(BID, reason=CANCELLED_REASON)),
    "an order left out as expired": ("rejection", lambda t: t.set(BID, reason=EXPIRED_REASON)),
    "an order left out as a stranger's": ("rejection", lambda t: t.set(BID, reason=NOT_A_MEMBER_REASON)),
    "an order left out for no reason": ("rejection", lambda t: t.set(BID, reason="")),
    "a posted order left out": ("rejection", lambda t: t.set(POSTED, reason=UNCOVERED_REASON)),
    "an order not left out": ("rejection", lambda t: t.set(UNCOVERED, reason=None)),
    "a fill": ("fill", lambda t: t.set(BID, fill_wh=499)),
    "a fill of an order left out": ("fill", lambda t: t.set(UNCOVERED, fill_wh=1)),
    "an amount": ("fill", lambda t: t.set(BID, amount="1")),
    "the price": ("price", lambda t: t.fields.update(price=t.fields["price"] + 1)),
    "the hash": ("digest", lambda t: t.fields.update(digest="0x" + "11" * 32)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_proposal_with_something_else_is_refused(what: str, found: Court, honest: Fields) -> None:
    check, change = CHANGES[what]
    changed = deepcopy(honest)
    change(Tampering(found, changed))
    with pytest.raises(RefusalError) as refusal:
        judged(found, changed)
    assert refusal.value.code == f"refused.{check}", str(refusal.value)


def test_a_node_that_answers_for_another_slot_is_refused(found: Court, tmp_path: Path) -> None:
    node = found.street.node

    class Elsewhere(ProposalClient):
        def proposal(self, slot: int) -> Fields:
            return super().proposal(slot) | {"slot": slot + 900}

    key, market = VALIDATORS[3], node.market.id
    with (
        Elsewhere(node.url) as client,
        SignedSlots(tmp_path / "signed.jsonl", domain=node.services.domain, market=market, key=key) as signed,
    ):
        refusals = Refusals(tmp_path / "refused.jsonl")
        validator = Validator(
            client=client, contracts=node.contracts, market=market, design=None, key=key, signed=signed,
            refusals=refusals,
        )  # fmt: skip
        for _ in range(2):
            assert [verdict.code for verdict in validator.look()] == ["refused.malformed"]
    assert len((tmp_path / "refused.jsonl").read_text().splitlines()) == 1  # said once while it stays the same


def test_a_design_that_is_not_the_markets_is_refused(found: Court) -> None:
    options = replace(found, design="discriminatory").options(0)
    result = CliRunner().invoke(app, [*options, "--once"])
    assert result.exit_code == 2
    assert "does not clear by the design 'discriminatory'" in result.stderr


def test_nothing_is_signed_while_the_market_is_frozen_or_after_the_deadline(tmp_path: Path) -> None:
    with court(tmp_path) as found:
        found.place_four()
        found.close_gate()
        node, parties = found.street.node, found.street.node.config.parties
        markets, market = node.contracts.markets, node.market
        transact(markets, parties.owner, markets.interface.call("freeze", market.id))
        assert found.look(0, status=1)[0]["code"] == "refused.frozen"
        transact(markets, parties.owner, markets.interface.call("unfreeze", market.id))
        assert found.look(0)[0]["code"] is None
        node.clock.advance_to(market.void_after(SLOT) + 1)  # type: ignore[attr-defined]
        fund(node.contracts, parties.treasurer, found.street.keys[BUYER].address, 1)  # a block of that time
        assert found.look(1, status=1)[0]["code"] == "refused.late"
        exchange = node.contracts.exchange
        transact(exchange, parties.owner, exchange.interface.call("void", market.id, SLOT))
        assert found.look(1, status=1)[0]["code"] == "refused.slot"
