"""Brings the demonstration's homes on chain: members, devices and money.

Repeating it does nothing; only a kill in the middle of a payment leaves minted credits with the treasurer.
"""

from collections.abc import Sequence

from agents.devices.photovoltaic import Photovoltaic
from agents.devices.series import Device
from agents.meter import Meter
from ledger import devices
from ledger.devices import DeviceKey, DeviceKind
from ledger.eecs import PHOTOVOLTAIC, SOLAR, fuel_number, technology_number
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.onboarding import fund
from node.composition import Node
from node.demo.setting import DEPOSIT_NANO, LATITUDE, LONGITUDE, UTILITY_DEPOSIT_NANO, Participant
from node.store.records import DeviceRecord


def onboard(node: Node, participants: Sequence[Participant]) -> None:
    """Register every home and its devices, and put money into escrow for everyone who has none yet."""
    for participant in participants:
        account = participant.key.address
        node.registration.register_member(account, participant.name)
        for device, meter in zip(participant.home.devices, participant.meters, strict=True):
            node.registration.register_device(_record(node, participant, device, meter))
        _fund_once(node, account, DEPOSIT_NANO)
    _fund_once(node, node.market.utility, UTILITY_DEPOSIT_NANO)


def _record(node: Node, participant: Participant, device: Device, meter: Meter) -> DeviceRecord:
    is_solar = isinstance(device, Photovoltaic)
    key = MeterKey(KeyAlgorithm.ED25519, meter.public_key)
    point = f"{participant.name} {'solar' if is_solar else 'load'}"
    return DeviceRecord(
        details=devices.Device(
            device=device.number,
            owner=participant.key.address,
            area=node.registration.area(),
            kind=DeviceKind.GENERATOR if is_solar else DeviceKind.LOAD,
            nameplate_w=device.nameplate_w if isinstance(device, Photovoltaic) else 0,
            slot_length_s=node.market.slot_length_s,
            metering_point=devices.metering_point(point),
            key=DeviceKey.of(key),
            technology=technology_number(PHOTOVOLTAIC) if is_solar else 0,
            fuel=fuel_number(SOLAR) if is_solar else 0,
            latitude=LATITUDE,
            longitude=LONGITUDE,
        ),
        keys=MeterKeys(((0, key),)),
        metering_point=point,
        name=point,
    )


def _fund_once(node: Node, account: bytes, amount_nano: int) -> None:
    head = node.chain.head().number
    deposits = node.contracts.escrow.events(
        ["Deposited"], first_block=0, last_block=head, topics=[account.rjust(32, b"\0")]
    )
    if not deposits:
        fund(node.contracts, node.config.parties.treasurer, account, amount_nano)
