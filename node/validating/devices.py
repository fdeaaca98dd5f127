"""The market's devices as the chain has them, for designs that ask what an order's energy is generated from."""

from ledger.deployment import Contracts
from ledger.onboarding import Technology as OnChainTechnology
from node.store.records import DeviceRecord, Technology


class RegisteredDevices:
    """Reads registrations, each block once."""

    def __init__(self, contracts: Contracts, market: bytes) -> None:
        self._certificates = contracts.certificates
        self._market = market
        self._next_block = 0
        self._found: list[DeviceRecord] = []

    def __call__(self) -> list[DeviceRecord]:
        """The devices at the chain's head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        head = self._certificates.chain.head().number
        events = self._certificates.events(["DeviceRegistered"], first_block=self._next_block, last_block=head)
        for event in events:
            details = event.arguments["details"]
            if details["market"] == self._market:
                technology = OnChainTechnology(details["technology"])
                device = DeviceRecord(
                    device=event.arguments["device"],
                    account=details["owner"],
                    technology=Technology[technology.name],
                    nameplate_w=details["nameplate_w"],
                    meter_key=details["meter_key"],
                )
                self._found.append(device)
        self._next_block = head + 1
        return self._found
