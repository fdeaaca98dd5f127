"""The agents' homes made from a community's data."""

from collections.abc import Sequence

from agents.devices.load import Load
from agents.devices.photovoltaic import Photovoltaic
from agents.devices.series import Series
from agents.home import Home
from agents.strategies.gain_share import spread
from simulation.community import Community


def build_homes(community: Community, accounts: Sequence[bytes], market: bytes) -> list[Home]:
    """One home for each of the community's, in its order.

    Home n (from 0) has load 2·n, photovoltaic system 2·n + 1 and the n-th of the evenly spread strategies.

    Args:
        community: whose data the homes have.
        accounts: the members' 20-byte addresses, one for each home.
        market: the market's 32-byte id.
    """
    first_slot = int(community.slots[0])
    return [
        Home(
            account=account,
            market=market,
            load=Load(2 * number, Series(first_slot, community.slot_s, data.consumption_wh)),
            photovoltaic=Photovoltaic(
                2 * number + 1, Series(first_slot, community.slot_s, data.generation_wh), data.pv_nameplate_w
            ),
            strategy=strategy,
        )
        for number, (data, account, strategy) in enumerate(
            zip(community.homes, accounts, spread(len(community.homes)), strict=True)
        )
    ]
