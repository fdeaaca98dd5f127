"""The market's devices as the chain has them, for designs that ask what an order's energy is generated from."""

from ledger.deployment import Contracts
from ledger.devices import registered_area
from node.design import ListedDevice


class RegisteredDevices:
    """Reads registrations, each block once."""

    def __init__(self, contracts: Contracts, market: bytes) -> None:
        self._contracts = contracts
        self._market = market
        self._next_block = 0
        self._markets: dict[int, bytes] = {}
        self._found: list[ListedDevice] = []

    def __call__(self) -> list[ListedDevice]:
        """The devices at the chain's head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        devices = self._contracts.devices
        head = devices.chain.head().number
        for event in devices.events(["DeviceRegistered"], first_block=self._next_block, last_block=head):
            details = event.arguments["details"]
            if self._market_of(details["area"]) == self._market:
                self._found.append(ListedDevice(details["owner"], details["technology"]))
        self._next_block = head + 1
        return self._found

    def _market_of(self, area: int) -> bytes:
        if area not in self._markets:
            self._markets[area] = registered_area(self._contracts, area).market
        return self._markets[area]
