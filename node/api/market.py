"""`/v1/market`: what one needs to know to take part."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from matching.tariff import Tariff
from node.api.fields import Address, Hash, Slot
from node.api.services import Parts

router = APIRouter(tags=["market"])


class TariffOut(BaseModel):
    """Prices in nano-credit per Wh; retail includes the utility's own grid costs."""

    retail_price: int
    feed_in_price: int
    grid_fee: int


class ClockOut(BaseModel):
    """The market's time."""

    mode: str
    now: int


class MarketOut(BaseModel):
    """The market, its clock and tariff now, and where and for whom signatures count.

    Slots of a frozen market wait, and are voided when their time to be settled is over. `claimed_by` names the
    node that moves slots on, of those that share the market; None while none does.
    """

    id: Hash
    design: str
    is_frozen: bool
    claimed_by: str | None
    slot_length_s: int
    gate_lead_s: int
    settle_within_s: int
    open_slot: int
    tariff: TariffOut
    clock: ClockOut
    chain_id: int
    exchange: Address
    credit: Address
    energy: Address
    certificates: Address
    devices: Address
    operator: Address
    utility: Address
    domain: dict[str, Any]


class TariffSpan(TariffOut):
    """A tariff, and the first slot that it holds for, until the next one's."""

    from_slot: int


class Tariffs(BaseModel):
    """Tariffs, the earliest first."""

    items: list[TariffSpan]


class ValidatorsOut(BaseModel):
    """The accounts of which so many must approve each settlement; without any, none is needed."""

    needed: int
    accounts: list[Address]


@router.get("/market")
def read_market(parts: Parts) -> MarketOut:
    """The market; `open_slot` is the earliest slot that takes orders, the tariff is that slot's."""
    market, now = parts.market, parts.clock.now()
    first = now + market.gate_lead_s + 1
    open_slot = -(-first // market.slot_length_s) * market.slot_length_s
    return MarketOut(
        id=market.id,
        design=parts.design,
        is_frozen=parts.market_state.is_frozen(),
        claimed_by=parts.claim.holder(),
        slot_length_s=market.slot_length_s,
        gate_lead_s=market.gate_lead_s,
        settle_within_s=market.settle_within_s,
        open_slot=open_slot,
        tariff=_tariff(parts.tariffs.tariff(open_slot)),
        clock=ClockOut(mode=parts.clock.mode, now=now),
        chain_id=parts.domain.chain_id,
        exchange=parts.addresses.exchange,
        credit=parts.addresses.credit,
        energy=parts.addresses.energy,
        certificates=parts.addresses.certificates,
        devices=parts.addresses.devices,
        operator=market.operator,
        utility=market.utility,
        domain=parts.domain.typed_data(),
    )


@router.get("/market/tariffs")
def list_tariffs(
    parts: Parts,
    *,
    first_slot: Annotated[Slot | None, Query(description="By default the slot whose gate closes next.")] = None,
    last_slot: Annotated[Slot | None, Query(description="By default the first slot.")] = None,
) -> Tariffs:
    """The tariffs in force from one slot to another, prices and grid fee."""
    market = parts.market
    first = parts.clock.now() + market.gate_lead_s if first_slot is None else first_slot
    found = parts.tariffs.tariffs(first, max(first, last_slot or 0))
    return Tariffs(
        items=[
            TariffSpan(
                from_slot=from_slot,
                retail_price=tariff.retail_price,
                feed_in_price=tariff.feed_in_price,
                grid_fee=tariff.grid_fee,
            )
            for from_slot, tariff in found
        ]
    )


@router.get("/market/validators")
def read_validators(parts: Parts) -> ValidatorsOut:
    """Who must approve settlements."""
    validators = parts.approvals.validators()
    return ValidatorsOut(needed=validators.approvals_needed, accounts=list(validators.accounts))


def _tariff(tariff: Tariff) -> TariffOut:
    return TariffOut(
        retail_price=tariff.retail_price, feed_in_price=tariff.feed_in_price, grid_fee=tariff.grid_fee
    )
