"""A second market beside a world's own: the same contracts and operator, another utility, two members."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from ledger.deployment import MarketTerms
from tests.contracts.fills import ESCROW
from tests.world import TARIFF, TERMS, World

SECOND_MARKET = b"lugano".ljust(32, b"\0")


def second_market(
    world: World,
    *,
    validators: Sequence[bytes] = (),
    approvals_needed: int = 0,
    terms: MarketTerms = TERMS,
) -> World:
    """Stranger 0 is its utility, strangers 1 and 2 are its members; the strangers that are left are nobody."""
    utility, *members = world.strangers[:3]
    keys = world.keys | {"utility": utility}
    parties = {role: keys[role].address for role in ("operator", "meter_authority", "registrar", "utility")}
    world.act(
        "owner",
        "open_market",
        SECOND_MARKET,
        parties | asdict(terms),
        asdict(TARIFF) | {"from_slot": 0},
        sorted(validators),
        approvals_needed,
    )
    world.act("registrar", "register", SECOND_MARKET, [key.address for key in members])
    second = replace(world, keys=keys, members=members, strangers=world.strangers[3:], market=SECOND_MARKET)
    second.fund_all([key.address for key in (*members, utility)], ESCROW)
    return second
