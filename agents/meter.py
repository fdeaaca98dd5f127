"""A meter: counts one device's energy and signs what it counted with a key of its own."""

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.devices.series import Device, NotMeteredError
from matching.readings import Reading, SignedReading


class Meter:
    """The meter of one device.

    Register and sequence follow from the device's series, and Ed25519 is deterministic: asked again for a slot,
    after a restart too, the meter gives the very same bytes.

    Args:
        device: what it meters.
        key: the meter's own key, which never leaves it.
        chain_id: EIP-155 id of the chain the market is on.
        market: the market's 32-byte id.
    """

    def __init__(self, device: Device, key: Ed25519PrivateKey, *, chain_id: int, market: bytes) -> None:
        self._device = device
        self._key = key
        self._chain_id = chain_id
        self._market = market
        self._register_wh = np.cumsum(device.metered.energy_wh)

    @property
    def device(self) -> int:
        """Number of the device it meters."""
        return self._device.number

    @property
    def public_key(self) -> bytes:
        """The 32 bytes under which the device is registered."""
        return self._key.public_key().public_bytes_raw()

    def read(self, slot: int) -> SignedReading:
        """The signed reading of a slot.

        Raises:
            NotMeteredError: the device has no metered energy for this slot.
        """
        index = self._device.metered.index(slot)
        if index is None:
            raise NotMeteredError(f"device {self.device} has no metered energy for slot {slot}")
        reading = Reading(
            chain_id=self._chain_id,
            market=self._market,
            device=self.device,
            slot=slot,
            energy_wh=int(self._device.metered.energy_wh[index]),
            register_wh=int(self._register_wh[index]),
            sequence=index + 1,
        )
        return SignedReading(reading, self._key.sign(reading.signing_bytes()))
