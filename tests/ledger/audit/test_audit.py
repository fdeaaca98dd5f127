"""The audit against histories that the contracts allow and that are wrong all the same, and lying chains."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ledger.audit.run import AuditReport, audit
from ledger.batches import FilledOrder, MemberReading
from ledger.chain import Address, Hash, Log, Transaction
from ledger.deployment import DeploymentError
from tests.contracts.devices import DEVICE, LOAD, certify, register
from tests.world import SLOT, World

HOME = 8


def audited(world: World) -> AuditReport:
    return audit(world.chain, world.exchange.address, keep_slots=True)


def rules(report: AuditReport) -> set[str]:
    return {finding.rule for finding in report.findings}


def trade_a_slot(world: World, *, generation_wh: int = 500, certified_wh: int | None = 500) -> None:
    """Member 1 sells 300 Wh of its generation to member 0, which consumes 400."""
    register(world, DEVICE, world.members[1].address)
    register(world, HOME, world.members[0].address, kind=LOAD)
    bid, offer = world.bid(0, 300, 200_000), world.offer(1, 300, 100_000)
    world.commit(size=2)
    world.settle([FilledOrder(bid, 300), FilledOrder(offer, 300)])
    consumption = {0: 400}
    world.deliver(
        [
            MemberReading(key.address, consumption.get(number, 0), generation_wh if number == 1 else 0)
            for number, key in enumerate(world.members)
        ]
    )
    if certified_wh is not None:
        certify(world, [(DEVICE, certified_wh)], [(HOME, 400)], matches=[(DEVICE, HOME, 300)])


def test_an_honest_history_holds(world: World) -> None:
    trade_a_slot(world)
    report = audited(world)
    assert report.findings == ()
    assert report.checks > 50
    assert report.model.slots[world.market, SLOT].bought_wh == 300


def test_an_exchange_without_history_holds(world: World) -> None:
    assert audited(world).findings == ()


def test_an_address_without_an_exchange_is_an_error(world: World) -> None:
    with pytest.raises(DeploymentError, match="no contract at"):
        audit(world.chain, b"\x13" * 20)


def test_certifying_more_than_was_generated_is_found(world: World) -> None:
    trade_a_slot(world, generation_wh=499)
    assert "certify.generation" in rules(audited(world))


def test_certifying_less_than_was_generated_is_found(world: World) -> None:
    trade_a_slot(world, generation_wh=501)
    assert rules(audited(world)) == {"certify.generation"}


def test_certificates_that_do_not_follow_the_trades_are_found(world: World) -> None:
    trade_a_slot(world, certified_wh=None)
    certify(world, [(DEVICE, 500)], moves=[(DEVICE, world.members[2].address, 300)])
    assert rules(audited(world)) == {"certify.allocation"}


def test_moving_what_should_have_been_matched_with_consumption_is_found(world: World) -> None:
    trade_a_slot(world, certified_wh=None)
    certify(world, [(DEVICE, 500)], moves=[(DEVICE, world.members[0].address, 300)])
    assert rules(audited(world)) == {"certify.allocation"}


def test_recording_more_consumption_than_was_metered_is_found(world: World) -> None:
    trade_a_slot(world, certified_wh=None)
    certify(world, [(DEVICE, 500)], [(HOME, 401)], matches=[(DEVICE, HOME, 300)])
    assert rules(audited(world)) == {"certify.consumption"}


def test_a_settlement_of_more_orders_than_the_book_has_is_found(world: World) -> None:
    bid, offer = world.bid(0, 300, 200_000), world.offer(1, 300, 100_000)
    world.commit(size=1)
    world.settle([FilledOrder(bid, 300), FilledOrder(offer, 300)])
    assert "settle.size" in rules(audited(world))


class LyingChain:
    """A chain that changes what it says: a bad RPC endpoint, or contracts that are not what they seem."""

    def __init__(self, world: World) -> None:
        self._chain = world.chain
        self.change_call = lambda data: data
        self.drop_topic: Hash | None = None
        self.change_input = lambda data: data

    def __getattr__(self, name: str) -> object:
        if name in ("blocks", "transactions", "calls"):
            raise AttributeError(name)  # several questions at once would get around what is changed here
        return getattr(self._chain, name)

    def call(self, to: Address, data: bytes, **more: object) -> bytes:
        answer: bytes = self._chain.call(to, data, **more)  # type: ignore[arg-type]
        changed: bytes = self.change_call(answer)
        return changed

    def logs(self, **query: object) -> Sequence[Log]:
        found: list[Log] = self._chain.logs(**query)  # type: ignore[arg-type]
        return [log for log in found if log.topics[0] != self.drop_topic]

    def transaction(self, transaction_hash: Hash) -> Transaction | None:
        found = self._chain.transaction(transaction_hash)
        return found and replace(found, input=self.change_input(found.input))


@pytest.mark.parametrize("event", ["Deposited", "BookCommitted", "Settled", "Delivered"])
def test_a_missing_event_is_found(world: World, event: str) -> None:
    trade_a_slot(world)
    chain = LyingChain(world)
    contract = world.contracts.escrow if event == "Deposited" else world.exchange
    chain.drop_topic = contract.interface.topic(event)
    assert audit(chain, world.exchange.address).findings  # type: ignore[arg-type]


# Where the first fill is in the calldata: after the selector and seven words.
FIRST_FILL = 4 + 7 * 32


@pytest.mark.parametrize(
    ("byte", "rule"),
    [
        (FIRST_FILL + 20, "settle.signature"),  # in the account
        (FIRST_FILL + 32 + 31, "settle.signature"),  # the quantity's last byte
        (FIRST_FILL + 64 + 20, "settle.signature"),  # in r
        (4 + 64 + 31, "settle.price"),  # the price's last byte
    ],
)
def test_one_changed_byte_of_a_settlement_is_found(world: World, byte: int, rule: str) -> None:
    trade_a_slot(world)
    chain = LyingChain(world)
    settle = world.exchange.interface.selector("settle")

    def change(data: bytes) -> bytes:
        return data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :] if data[:4] == settle else data

    chain.change_input = change
    assert rule in rules(audit(chain, world.exchange.address))  # type: ignore[arg-type]


def test_storage_that_differs_from_the_replay_is_found(world: World) -> None:
    trade_a_slot(world)
    chain = LyingChain(world)
    account = world.balance(world.members[0].address).to_bytes(32, "big")
    chain.change_call = lambda answer: answer.replace(
        account, (int.from_bytes(account, "big") + 1).to_bytes(32, "big")
    )
    report = audit(chain, world.exchange.address)  # type: ignore[arg-type]
    assert rules(report) == {"storage.balance"}
    assert world.members[0].address.hex() in report.findings[0].where


def test_a_slot_may_be_certified_in_parts_and_is_checked_when_all_are_there(world: World) -> None:
    second_panels = 9
    register(world, second_panels, world.members[1].address)
    trade_a_slot(world, certified_wh=None)
    certify(world, [(DEVICE, 280)], [(HOME, 400)], matches=[(DEVICE, HOME, 280)])
    assert "certify.generation" in rules(audited(world))
    # The consumption is on chain already: 0 says so.
    certify(world, [(second_panels, 220)], [(HOME, 0)], matches=[(second_panels, HOME, 20)])
    report = audited(world)
    assert report.findings == ()
    slot = report.model.slots[world.market, SLOT]
    assert [(each.device, each.amount_wh) for each in slot.issuances] == [(DEVICE, 280), (second_panels, 220)]


def test_generation_for_which_nobody_asked_may_wait_for_its_certificates(world: World) -> None:
    register(world, HOME, world.members[0].address, kind=LOAD)
    register(world, DEVICE, world.members[1].address, standing=False)
    world.commit()
    world.settle([])
    world.deliver(
        [MemberReading(key.address, 0, 500 if number == 1 else 0) for number, key in enumerate(world.members)]
    )
    report = audit(world.chain, world.exchange.address)
    assert report.findings == ()
    assert not report.model.slots
    send = world.send
    send(world.members[1], world.contracts.devices, "request", DEVICE, SLOT, SLOT, bytes(32))
    send("issuer", world.contracts.devices, "decide", 1, True, "")
    send("issuer", world.contracts.issuance, "issue", 1, DEVICE, SLOT, [501])
    # A reading that came late may show more than was delivered, if it is anchored within a day of its day.
    assert audited(world).findings == ()
    day = SLOT // 86_400
    world.at((day + 2) * 86_400)
    world.send(
        "issuer", world.contracts.devices, "anchor", day, [{"device": HOME, "root": bytes(32), "leaves": 1}]
    )
    assert rules(audited(world)) == {"certify.generation"}
    world.send(
        "issuer", world.contracts.devices, "anchor", day, [{"device": DEVICE, "root": bytes(32), "leaves": 1}]
    )
    assert audited(world).findings == ()
