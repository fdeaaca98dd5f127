"""Brings the demonstration's homes on chain: members, devices and money.

Repeating it does nothing; only a kill in the middle of a payment leaves minted credits with the treasurer.
"""

from collections.abc import Sequence

from agents.devices.photovoltaic import Photovoltaic
from ledger.onboarding import fund
from node.composition import Node
from node.demo.setting import DEPOSIT_NANO, UTILITY_DEPOSIT_NANO, Participant
from node.store.records import DeviceRecord, Technology


def onboard(node: Node, participants: Sequence[Participant]) -> None:
    """Register every home and its devices, and put money into escrow for everyone who has none yet."""
    for participant in participants:
        account = participant.key.address
        node.registration.register_member(account, participant.name)
        for device, meter in zip(participant.home.devices, participant.meters, strict=True):
            generates = isinstance(device, Photovoltaic)
            node.registration.register_device(
                DeviceRecord(
                    device=device.number,
                    account=account,
                    technology=Technology.SOLAR if generates else Technology.LOAD,
                    nameplate_w=device.nameplate_w if isinstance(device, Photovoltaic) else 0,
                    meter_key=meter.public_key,
                    name=f"{participant.name} {'solar' if generates else 'load'}",
                )
            )
        _fund_once(node, account, DEPOSIT_NANO)
    _fund_once(node, node.market.utility, UTILITY_DEPOSIT_NANO)


def _fund_once(node: Node, account: bytes, amount_nano: int) -> None:
    head = node.chain.head().number
    deposits = node.contracts.escrow.events(
        ["Deposited"], first_block=0, last_block=head, topics=[account.rjust(32, b"\0")]
    )
    if not deposits:
        fund(node.contracts, node.config.parties.treasurer, account, amount_nano)
