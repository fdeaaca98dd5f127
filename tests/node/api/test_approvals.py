"""What validators are asked to sign, and how their approvals are taken."""

from dataclasses import replace

import httpx
import pytest

from ledger.merkle import root
from matching.orders import Side
from node.api.services import Services
from node.approvals import Approvals, AwaitedApprovalsError
from node.fills import fills_of
from node.store.records import OrderStatus
from tests.node.parts import ALICE, BOB, DOMAIN, MARKET, SLOT, STRANGER, order
from tests.node.small_node import VALIDATOR_KEYS, VALIDATORS

PRICE, TRADED_WH = 150_000, 600
PATH = f"/v1/slots/{SLOT}"


def clear(services: Services, fill_wh: int = TRADED_WH) -> None:
    """Alice's offer and Bob's bid, of which so much trades."""
    offer = order(ALICE, side=Side.OFFER, price=100_000, quantity_wh=1_000)
    bid = order(BOB, price=200_000, quantity_wh=TRADED_WH)
    store = services.store
    if store.slot(SLOT) is None:
        for signed in (offer, bid):
            services.intake.place(signed.order, signed.signature)
        book = store.close_slot(SLOT)
        store.record_committed(SLOT, root([record.signed.hash for record in book]), len(book))
    store.record_clearing(
        SLOT,
        price=PRICE,
        fills={offer.hash: fill_wh, bid.hash: fill_wh},
        rejected={},
        trades=(),
        bought_wh=fill_wh,
    )


def propose(services: Services) -> list[bytes]:
    return services.approvals.obtain(SLOT, PRICE, list(fills_of(services.store, SLOT).values()))


@pytest.fixture
def digest(services: Services) -> bytes:
    """A proposed settlement's."""
    clear(services)
    with pytest.raises(AwaitedApprovalsError, match="0 of 3"):
        propose(services)
    return services.approvals.proposal(SLOT).digest


def approve(http: httpx.Client, seat: int, digest: bytes, **changes: str) -> httpx.Response:
    key = VALIDATOR_KEYS[seat]
    fields = {"validator": f"0x{key.address.hex()}", "signature": f"0x{key.sign(digest).hex()}"}
    return http.post(f"{PATH}/approvals", json=fields | changes)


def test_a_proposal_has_all_that_it_takes_to_clear_again(http: httpx.Client, digest: bytes) -> None:
    shown = http.get(f"{PATH}/proposal").json()
    assert (shown["slot"], shown["price"], shown["design"]) == (SLOT, PRICE, "uniform")
    assert (shown["chain_id"], shown["exchange"]) == (DOMAIN.chain_id, f"0x{DOMAIN.exchange.hex()}")
    assert shown["book_root"] == "0x" + root(sorted(bytes.fromhex(o["hash"][2:]) for o in shown["orders"])).hex()
    assert shown["digest"] == f"0x{digest.hex()}"
    assert {o["fill_wh"] for o in shown["orders"]} == {TRADED_WH}
    assert [(o["in_book"], o["posted"], o["reason"]) for o in shown["orders"]] == [(True, False, None)] * 2
    assert {o["receipt"]["index"] for o in shown["orders"]} == {0, 1}


def test_nothing_is_proposed_before_the_operator_wants_to_settle(http: httpx.Client, services: Services) -> None:
    clear(services)
    for answer in (http.get(f"{PATH}/proposal"), http.get(f"{PATH}/approvals"), approve(http, 0, bytes(32))):
        assert (answer.status_code, answer.json()["code"]) == (404, "proposal.unknown")
        assert answer.headers["content-type"] == "application/problem+json"


def test_enough_approvals_let_the_slot_settle_in_ascending_order(
    http: httpx.Client, services: Services, digest: bytes
) -> None:
    for seat in (3, 1):
        assert approve(http, seat, digest).status_code == 200
    with pytest.raises(AwaitedApprovalsError, match="2 of 3"):
        propose(services)
    assert approve(http, 0, digest).status_code == 200
    assert propose(services) == [VALIDATOR_KEYS[seat].sign(digest) for seat in (0, 1, 3)]
    shown = http.get(f"{PATH}/approvals").json()
    assert shown["needed"] == 3
    assert [given["validator"] for given in shown["approvals"]] == [
        shown["validators"][seat] for seat in (0, 1, 3)
    ]


def test_an_approval_counts_once_however_often_it_comes(
    http: httpx.Client, services: Services, digest: bytes
) -> None:
    answers = [approve(http, 2, digest).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    with pytest.raises(AwaitedApprovalsError, match="1 of 3"):
        propose(services)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"validator": f"0x{STRANGER.address.hex()}"}, 403, "approval.not_a_validator"),
        ({"validator": f"0x{VALIDATORS.accounts[1].hex()}"}, 403, "approval.signature"),
        ({"signature": f"0x{VALIDATOR_KEYS[0].sign(bytes(32)).hex()}"}, 403, "approval.signature"),
        ({"signature": "0x" + "00" * 65}, 422, "signature.invalid"),
        ({"signature": "0x" + "00" * 64}, 422, "request.invalid"),
    ],
)
def test_a_wrong_approval_is_refused_and_changes_nothing(
    http: httpx.Client, digest: bytes, changes: dict[str, str], status: int, code: str
) -> None:
    answer = approve(http, 0, digest, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert http.get(f"{PATH}/approvals").json()["approvals"] == []


def test_clearing_again_drops_approvals_of_what_was_proposed_before(
    http: httpx.Client, services: Services, digest: bytes
) -> None:
    approve(http, 0, digest)
    services.store.discard_clearing(SLOT)
    assert http.get(f"{PATH}/proposal").status_code == 404
    clear(services, TRADED_WH - 1)
    with pytest.raises(AwaitedApprovalsError, match="0 of 3"):
        propose(services)
    assert approve(http, 0, digest).json()["code"] == "approval.signature"
    assert approve(http, 0, services.approvals.proposal(SLOT).digest).status_code == 200


def test_clearing_again_to_the_same_result_keeps_them(
    http: httpx.Client, services: Services, digest: bytes
) -> None:
    approve(http, 0, digest)
    services.store.discard_clearing(SLOT)
    clear(services)
    with pytest.raises(AwaitedApprovalsError, match="1 of 3"):
        propose(services)


def test_whoever_gave_its_seat_away_no_longer_counts(
    http: httpx.Client, services: Services, digest: bytes
) -> None:
    for seat in (0, 1, 2):
        approve(http, seat, digest)
    heirs = replace(VALIDATORS, accounts=(*VALIDATORS.accounts[1:], STRANGER.address))
    later = Approvals(services.store, DOMAIN, MARKET, lambda: heirs)
    with pytest.raises(AwaitedApprovalsError, match="2 of 3"):
        later.obtain(SLOT, PRICE, list(fills_of(services.store, SLOT).values()))


def test_a_voided_slot_is_no_longer_proposed(http: httpx.Client, services: Services, digest: bytes) -> None:
    services.store.record_voided(SLOT)
    assert http.get(f"{PATH}/proposal").json()["code"] == "proposal.unknown"
    assert {record.status for record in services.store.orders()} == {OrderStatus.VOIDED}
