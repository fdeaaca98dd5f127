"""Each account is held to its rate, and is charged for what it signed only."""

from dataclasses import replace

import pytest

from ledger.eip712 import cancellation_hash
from node.api.services import Services
from node.intake import Intake
from node.limits import BURST_S, TooManyRequestsError, admission
from node.refusals import OrderSignatureError
from tests.node.parts import ALICE, BOB, DOMAIN, OPERATOR, order
from tests.node.small_node import LIMITS, TERMS, Ledger

TWO_AT_ONCE = 2 / BURST_S


@pytest.fixture
def intake(services: Services, ledger: Ledger) -> Intake:
    return Intake(
        market=TERMS,
        domain=DOMAIN,
        operator=OPERATOR,
        store=services.store,
        clock=services.clock,
        escrow=services.escrow,
        limits=LIMITS,
        admit=admission(TWO_AT_ONCE),
    )


def place(intake: Intake, salt: int, key: object = ALICE) -> None:
    signed = order(key, salt=salt, quantity_wh=10)  # type: ignore[arg-type]  # a key
    intake.place(signed.order, signed.signature)


def test_an_account_places_and_cancels_as_often_as_its_rate_allows(intake: Intake) -> None:
    first = order(ALICE, salt=1, quantity_wh=10)
    place(intake, 1)
    intake.cancel(first.hash, ALICE.sign(cancellation_hash(DOMAIN, ALICE.address, first.hash)))
    with pytest.raises(TooManyRequestsError, match=f"0x{ALICE.address.hex()}"):
        place(intake, 2)
    place(intake, 2, BOB)


def test_an_order_that_the_node_has_is_not_charged_for(intake: Intake) -> None:
    for _ in range(5):
        place(intake, 1)
    place(intake, 2)


def test_nobody_uses_up_anothers_rate(intake: Intake) -> None:
    forged = replace(order(ALICE, salt=3), signature=BOB.sign(bytes(32)))
    for _ in range(5):
        with pytest.raises(OrderSignatureError):
            intake.place(forged.order, forged.signature)
    place(intake, 1)
    place(intake, 2)


def test_without_a_rate_everybody_is_admitted() -> None:
    admit = admission(None)
    for _ in range(1_000):
        admit(ALICE.address)
