"""A member's client signs what it asked for, and nothing else that a node may prepare."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ledger.certificates.ids import CertificateId
from node.answers import Json
from node.client import Call, UnexpectedAnswerError, WattbookClient, WrongTransactionError
from node.client.expected import expected_call
from tests.system.homes import LENGTH, LOAD, PANELS, Homes, homes
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT

GIVEN = 100
NEXT = SLOT + LENGTH
CLAIM = {"purpose": "product", "country": "US", "first_slot": SLOT, "last_slot": SLOT}


@dataclass(frozen=True)
class Case:
    """An action, what is asked, and what a node that cheats takes it for."""

    action: str
    asked: Json
    taken_for: Json

    def __str__(self) -> str:
        return f"{self.action}: {', '.join(self.taken_for)}"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    """The seller of sun has 700 and 1,000 Wh, the buyer some of them and consumption of its own."""
    with homes(tmp_path_factory.mktemp("node")) as found:
        found.trade(SLOT, 300)
        found.slot(SLOT, {PANELS: 1_000, LOAD: 700})
        found.slot(NEXT, {PANELS: 1_000, LOAD: 700})
        seller = found.street.clients[SELLER_OF_SUN]
        seller.act("transfer", to=found.address(BUYER), amount_wh=GIVEN, first_slot=SLOT, last_slot=SLOT)
        yield found


class Cheated(WattbookClient):
    """A client of a node that prepares something else."""

    taken_for: Json
    told: Json

    def _prepare(self, action: str, fields: dict[str, Any]) -> Call[Json]:
        answer = yield from super()._prepare(action, fields | self.taken_for)
        return answer | self.told


def cheated(found: Homes, member: int, taken_for: Json, told: Json | None = None) -> Cheated:
    client = Cheated(found.street.node.url, found.street.keys[member])
    client.taken_for, client.told = taken_for, told or {}
    return client


@contextmanager
def refused(found: Homes, member: int) -> Iterator[None]:
    """The client refuses to sign in the block, and nothing of the member's reaches the chain."""
    chain, account = found.street.node.chain, found.street.keys[member].address
    nonce = chain.nonce(account)
    with pytest.raises(WrongTransactionError):
        yield
    assert chain.nonce(account) == nonce


OTHER = "0x" + "99" * 20
AMOUNT: Json = {"amount_wh": 10}
TO: Json = {"to": OTHER}
HEX_SLOT, HEX_NEXT = (hex(int(CertificateId(slot, PANELS))) for slot in (SLOT, NEXT))
PART: Json = {"parts": [{"id": HEX_SLOT, "amount_wh": 10}]}
NOTHING_NAMED: Json = {"parts": [], "amount_wh": 10, "first_slot": NEXT}


@pytest.mark.parametrize(
    "case",
    [
        Case("transfer", TO | AMOUNT, {"to": "0x" + "98" * 20}),
        Case("transfer", TO | AMOUNT, {"amount_wh": 11}),
        Case("transfer", TO | AMOUNT | {"last_slot": SLOT}, {"first_slot": NEXT, "last_slot": NEXT}),
        Case("transfer", TO | AMOUNT | {"first_slot": NEXT}, {"first_slot": None}),
        Case("transfer", TO | AMOUNT | {"device": "77"}, {"device": None}),
        Case("transfer", TO | AMOUNT | {"kind": "stored"}, {"kind": None}),
        Case("transfer", TO | PART, {"parts": [{"id": HEX_NEXT, "amount_wh": 10}]}),
        Case("transfer", TO | PART, {"parts": [{"id": HEX_SLOT, "amount_wh": 11}]}),
        Case("transfer", TO | PART, NOTHING_NAMED),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"amount_wh": 9}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"purpose": "disclosure"}}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"country": "NL"}}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"first_slot": SLOT - LENGTH}}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"last_slot": NEXT}}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"beneficiary": OTHER}}),
        Case("retire", AMOUNT | {"claim": CLAIM}, {"claim": CLAIM | {"text": "for me"}}),
        Case("retire", AMOUNT | {"claim": CLAIM | {"text": "a cake"}}, {"claim": CLAIM | {"text": "a pie"}}),
        Case("export", AMOUNT | {"registry": "AIB", "serial": "1"}, {"registry": "BIA"}),
        Case("export", AMOUNT | {"registry": "AIB", "serial": "1"}, {"serial": "2"}),
        Case("export", AMOUNT | {"registry": "AIB", "serial": "1"}, {"amount_wh": 11}),
        Case("request", {"device": "1", "first_slot": SLOT, "last_slot": SLOT}, {"last_slot": NEXT}),
        Case("request", {"device": "1", "first_slot": NEXT, "last_slot": NEXT}, {"first_slot": SLOT}),
    ],
    ids=str,
)
def test_something_else_than_was_asked_for_is_not_signed(found: Homes, case: Case) -> None:
    with refused(found, SELLER_OF_SUN), cheated(found, SELLER_OF_SUN, case.taken_for) as client:
        client.act(case.action, **case.asked)


@pytest.mark.parametrize(
    ("asked", "taken_for"),
    [
        ({"amount_wh": 10}, {"amount_wh": 11}),
        ({"first_slot": NEXT}, {"first_slot": SLOT}),
        ({"last_slot": SLOT - LENGTH}, {"last_slot": SLOT}),
    ],
    ids=["more", "an earlier slot", "a later slot"],
)
def test_other_pairs_than_were_asked_for_are_not_signed(found: Homes, asked: Json, taken_for: Json) -> None:
    with refused(found, BUYER), cheated(found, BUYER, taken_for) as client:
        client.act("retire_pairs", **asked)


@pytest.mark.parametrize(
    "told",
    [
        {"parts": [{"id": HEX_SLOT, "amount_wh": 10}]},
        {"parts": [{"id": HEX_SLOT, "amount_wh": 20}, {"id": HEX_NEXT, "amount_wh": -10}]},
        {"parts": [{"id": "0x1", "amount_wh": 10}]},
    ],
    ids=["another amount", "a negative amount", "no certificate"],
)
def test_what_the_node_says_of_it_does_not_count(found: Homes, told: Json) -> None:
    with refused(found, SELLER_OF_SUN), cheated(found, SELLER_OF_SUN, {"amount_wh": 20}, told) as client:
        client.act("transfer", **TO, **AMOUNT)


def test_another_action_is_not_signed(found: Homes) -> None:
    with WattbookClient(found.street.node.url, found.street.keys[SELLER_OF_SUN]) as honest:
        other = honest.prepare("transfer", **TO, **PART)
    with (
        refused(found, SELLER_OF_SUN),
        cheated(found, SELLER_OF_SUN, {}, {"transaction": other["transaction"]}) as client,
    ):
        client.act("retire", claim=CLAIM, **PART)


@pytest.mark.parametrize(
    "change", [{"to": OTHER}, {"value": 1}, {"chainId": 1}], ids=lambda change: next(iter(change))
)
def test_nothing_is_signed_for_another_contract_or_chain_or_with_money(found: Homes, change: Json) -> None:
    with WattbookClient(found.street.node.url, found.street.keys[SELLER_OF_SUN]) as client:
        prepared = client.prepare("transfer", **TO, **AMOUNT)["transaction"] | change
        with refused(found, SELLER_OF_SUN):
            client.send(prepared)
    with refused(found, SELLER_OF_SUN), cheated(found, SELLER_OF_SUN, {}, {"transaction": prepared}) as cheat:
        cheat.act("transfer", **TO, **AMOUNT)


def test_an_action_goes_to_its_own_contract(found: Homes) -> None:
    with WattbookClient(found.street.node.url, found.street.keys[SELLER_OF_SUN]) as honest:
        prepared = honest.prepare("transfer", **TO, **AMOUNT)["transaction"]
        told = {"transaction": prepared | {"to": honest.read("/v1/market")["devices"]}}
    with refused(found, SELLER_OF_SUN), cheated(found, SELLER_OF_SUN, {}, told) as client:
        client.act("transfer", **TO, **AMOUNT)


def test_an_answer_that_lacks_what_was_chosen_is_no_nodes(found: Homes) -> None:
    with cheated(found, SELLER_OF_SUN, {}, {"parts": None}) as client, pytest.raises(UnexpectedAnswerError):
        client.act("transfer", **TO, **AMOUNT)


def test_an_action_that_nobody_here_knows_is_not_signed() -> None:
    with pytest.raises(WrongTransactionError, match="'give' does cannot be checked"):
        expected_call(bytes(20), "give", {}, {})


def test_what_was_asked_for_is_signed_of_one_certificate_and_of_several(found: Homes) -> None:
    with WattbookClient(found.street.node.url, found.street.keys[SELLER_OF_SUN]) as client:
        for fields, count in ((PART, 1), ({"amount_wh": 650, "device": "1", "kind": "generation"}, 2)):
            prepared, sent = client.act("transfer", **TO, **fields)
            assert (len(prepared["parts"]), sent.state) == (count, "confirmed")
        claim = CLAIM | {"text": "a cake", "beneficiary": OTHER}
        assert client.act("retire", claim=claim, amount_wh=10)[1].state == "confirmed"
