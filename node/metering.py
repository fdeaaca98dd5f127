"""Metering: checks meter readings, and keeps those that pass."""

import threading

from ledger.eip712 import Domain
from ledger.market import Market
from matching.readings import Reading, SignedReading
from node.clock import Clock
from node.refusals import (
    ConflictingReadingError,
    ForeignReadingError,
    ImplausibleReadingError,
    MisalignedReadingError,
    TooEarlyReadingError,
    UnexpectedReadingError,
    UnknownDeviceError,
)
from node.store import Store
from node.store.records import DeviceRecord, ReadingRecord, Technology

_HOUR_S = 3_600


class Metering:
    """Takes readings for one market. Thread-safe."""

    def __init__(
        self, *, market: Market, domain: Domain, store: Store, clock: Clock, largest_load_wh: int = 100_000
    ) -> None:
        """`largest_load_wh` is the most that a load can consume in a slot."""
        self._market = market
        self._domain = domain
        self._store = store
        self._clock = clock
        self._largest_load_wh = largest_load_wh
        # From looking at a meter's last reading to writing down the next.
        self._taking = threading.Lock()

    def submit(self, signed: SignedReading) -> ReadingRecord:
        """Take a reading; the same reading again changes nothing and gets the same record.

        Raises:
            WattbookError: one of `node.refusals`' reading errors.
            ReadingSignatureError: the signature is not the device's meter's.
            ReadingContinuityError: it does not go on where the meter's last reading stopped.
        """
        reading = signed.reading
        self._check_origin(reading)
        device = self._store.device(reading.device)
        if device is None:
            raise UnknownDeviceError(f"reading field 'device' is {reading.device}: no such device is registered")
        reading.verify(device.meter_key, signed.signature)
        self._check_slot(reading.slot, device)
        with self._taking:
            existing = self._store.reading(reading.device, reading.slot)
            if existing is not None and existing.signed == signed:
                return existing
            if existing is not None:
                raise ConflictingReadingError(
                    f"device {reading.device} has a reading of slot {reading.slot} with "
                    f"{existing.signed.reading.energy_wh} Wh: cannot become {reading.energy_wh} Wh"
                )
            last = self._store.last_reading(reading.device)
            if last is not None:
                reading.check_follows(last.signed.reading)
            self._check_energy(reading, device)
            return self._store.add_reading(signed, self._clock.now())

    def _check_origin(self, reading: Reading) -> None:
        if reading.chain_id != self._domain.chain_id:
            raise ForeignReadingError(
                f"reading field 'chain_id' is {reading.chain_id}: must be {self._domain.chain_id}"
            )
        if reading.market != self._market.id:
            raise ForeignReadingError(
                f"reading field 'market' is 0x{reading.market.hex()}: must be 0x{self._market.id.hex()}"
            )

    def _check_slot(self, slot: int, device: DeviceRecord) -> None:
        if not self._market.is_aligned(slot):
            raise MisalignedReadingError(
                f"reading field 'slot' is {slot}: must be a multiple of {self._market.slot_length_s} s"
            )
        if slot < device.first_slot:
            raise UnexpectedReadingError(f"reading field 'slot' is {slot}: must be at least {device.first_slot}")
        now, ends_at = self._clock.now(), self._market.ends_at(slot)
        if now < ends_at:
            raise TooEarlyReadingError(f"slot {slot} ends at {ends_at}: it is {now}")

    def _check_energy(self, reading: Reading, device: DeviceRecord) -> None:
        if device.technology is Technology.LOAD:
            if reading.energy_wh > self._largest_load_wh:
                raise ImplausibleReadingError(
                    f"reading field 'energy_wh' is {reading.energy_wh}: at most {self._largest_load_wh}, what a "
                    "connection carries in a slot"
                )
            return
        most_wh = device.nameplate_w * self._market.slot_length_s // _HOUR_S
        if reading.energy_wh > most_wh:
            raise ImplausibleReadingError(
                f"reading field 'energy_wh' is {reading.energy_wh}: device {device.device} of "
                f"{device.nameplate_w} W generates at most {most_wh}"
            )
