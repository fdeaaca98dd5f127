"""Who takes part in the demonstration, and when. The same in every process and after every restart."""

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.home import Home
from agents.meter import Meter
from ledger.devchain import dev_accounts
from ledger.keys import Key
from node.parties import FIRST_MEMBER_ACCOUNT
from simulation.community import Community
from simulation.fontana import SUNNY_DAY, load_fontana
from simulation.homes import build_homes

MARKET_NAME = "fontana"
ZONE = "CAISO SP15"
"""The trading hub's zone that Fontana lies in; California has no EIC codes."""

LATITUDE, LONGITUDE = 3_409, -11_744
"""Hundredths of a degree: the town, as nobody published the homes' addresses."""

TIME_ZONE = "America/Los_Angeles"
DEPOSIT_NANO = 200 * 10**9
UTILITY_DEPOSIT_NANO = 2_000 * 10**9


@dataclass(frozen=True)
class Participant:
    """A home with everything that acts for it: its member's key and its meters."""

    name: str
    key: Key
    home: Home
    meters: tuple[Meter, ...]


@dataclass(frozen=True)
class Setting:
    """The community and the day.

    Attributes:
        day: starts of the day's slots, Unix seconds UTC, ascending.
        last_slot: the last slot for which there are data: the demonstration may go on until then.
    """

    community: Community
    day: tuple[int, ...]
    last_slot: int

    def participants(self, chain_id: int, market: bytes) -> list[Participant]:
        """One for each home, in the order of the data."""
        accounts = dev_accounts()[FIRST_MEMBER_ACCOUNT : FIRST_MEMBER_ACCOUNT + len(self.community.homes)]
        keys = [Key(account.private_key) for account in accounts]
        homes = build_homes(self.community, [key.address for key in keys], market)
        return [
            Participant(
                name=data.name,
                key=key,
                home=home,
                meters=tuple(
                    Meter(device, _meter_key(device.number), chain_id=chain_id, market=market)
                    for device in home.devices
                ),
            )
            for data, key, home in zip(self.community.homes, keys, homes, strict=True)
        ]


def setting(first_slot: int = 0, slots: int | None = None) -> Setting:
    """The sunny day from its quarter hour `first_slot` on; only `slots` of them if given."""
    community = load_fontana()
    day = community.slots[community.day(SUNNY_DAY)].tolist()[first_slot:]
    return Setting(community, tuple(day[:slots]), int(community.slots[-1]))


def _meter_key(device: int) -> Ed25519PrivateKey:
    """A development key, the same every time: worth as little as the development accounts' keys."""
    return Ed25519PrivateKey.from_private_bytes(sha256(b"wattbook development meter %d" % device).digest())
