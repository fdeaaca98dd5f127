"""Replays the events of the Devices contract: areas, devices, their keys, requests, and anchors of evidence."""

from collections.abc import Mapping
from typing import Any

from ledger.audit.calls import Calls
from ledger.audit.findings import Findings
from ledger.audit.guarantees import DAY_S, AnchorModel, AreaModel, DeviceModel, Guarantees, RequestModel
from ledger.audit.history import Occurrence
from ledger.audit.model import Model
from ledger.audit.rulebook import Rulebook, Terms
from ledger.chain import ZERO_ADDRESS
from ledger.devices import NO_MARKET, Device, DeviceKey, DeviceKind, device_of, key_of
from matching.errors import WattbookError

# As in the contract.
ISSUER, REGISTRAR = 0, 1
MAX_REQUEST_S = 366 * DAY_S


class DeviceRules(Rulebook):
    """Applies the events of the Devices contract in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {
            "RoleOffered": self._role_offered,
            "RoleTaken": self._role_taken,
            "AreaAdded": self._area_added,
            "DeviceRegistered": self._registered,
            "KeyRotated": self._key_rotated,
            "DeviceClosed": self._closed,
            "Anchored": self._anchored,
            "Requested": self._requested,
            "RequestDecided": self._decided,
        }

    @property
    def guarantees(self) -> Guarantees:
        """Devices and certificates as they are so far."""
        return self.model.guarantees

    # Roles

    def _role_offered(self, occurrence: Occurrence) -> None:
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        where = f"devices' role {role}, block {occurrence.block}"
        self.check_sender("devices.holder", where, occurrence, self.guarantees.roles.get(role))
        self.guarantees.offers[role] = account

    def _role_taken(self, occurrence: Occurrence) -> None:
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        where = f"devices' role {role}, block {occurrence.block}"
        offered = self.guarantees.offers.pop(role, ZERO_ADDRESS)
        self.findings.check("devices.offered", where, expected=offered, found=account)
        self.check_sender("devices.accepts", where, occurrence, account)
        self.guarantees.roles[role] = account

    def _by_registrar(self, rule: str, where: str, occurrence: Occurrence) -> None:
        self.check_sender(rule, where, occurrence, self.guarantees.roles.get(REGISTRAR))

    def _by_issuer(self, rule: str, where: str, occurrence: Occurrence) -> None:
        self.check_sender(rule, where, occurrence, self.guarantees.roles.get(ISSUER))

    # Areas and devices

    def _area_added(self, occurrence: Occurrence) -> None:
        number, market, zone = (occurrence.event.arguments[name] for name in ("area", "market", "zone"))
        areas, area = self.guarantees.areas, AreaModel(market, zone)
        where = f"area {number}"
        self._by_registrar("area.registrar", where, occurrence)
        self.findings.check("area.number", where, expected=len(areas) + 1, found=number)
        self.findings.require(
            "area.once", where, area not in areas, expected="one area of a market and zone", found="another"
        )
        areas.append(area)

    def _registered(self, occurrence: Occurrence) -> None:
        number, details = (occurrence.event.arguments[name] for name in ("device", "details"))
        where = f"device {number}"
        self._by_registrar("device.registrar", where, occurrence)
        self.findings.require(
            "device.once", where, number not in self.guarantees.devices, expected="one registration",
            found="another",
        )  # fmt: skip
        device = self._described(where, number, details)
        if device is None:
            return
        self._check_area(where, device)
        self._check_storage(where, device)
        self._check_metering_point(where, device)
        self.guarantees.devices[number] = DeviceModel(device, occurrence.timestamp, [device.key])
        self.guarantees.by_owner.setdefault(device.owner, []).append(number)

    def _described(self, where: str, number: int, details: Mapping[str, Any]) -> Device | None:
        try:
            return device_of(number, details)
        except (WattbookError, ValueError) as error:
            self.findings.require("device.form", where, False, expected="details within their limits", found=error)
            return None

    def _check_area(self, where: str, device: Device) -> None:
        area = self.guarantees.area(device.area)
        self.findings.require(
            "device.area", where, area is not None and area.market != NO_MARKET,
            expected="an area of a market", found=f"area {device.area}",
        )  # fmt: skip

    def _check_storage(self, where: str, device: Device) -> None:
        if device.kind is not DeviceKind.CHARGE:
            return
        known = self.guarantees.devices.get(device.storage)
        storage = known and known.device
        expected = (DeviceKind.STORAGE, device.owner, device.area, device.slot_length_s)
        found = storage and (storage.kind, storage.owner, storage.area, storage.slot_length_s)
        self.findings.check("device.storage", where, expected=expected, found=found)

    def _check_metering_point(self, where: str, device: Device) -> None:
        """A point has one device at a time, or a storage and what charges it."""
        for number, other in self.guarantees.devices.items():
            is_free = other.closed_day and other.closed_day <= device.commissioned_day
            if other.device.metering_point != device.metering_point or is_free or number == device.device:
                continue
            is_own = device.kind is DeviceKind.CHARGE and device.storage == number
            self.findings.require(
                "device.metering_point", where, is_own, expected="a metering point of its own",
                found=f"that of device {number}",
            )  # fmt: skip

    def _key_rotated(self, occurrence: Occurrence) -> None:
        number, details = (occurrence.event.arguments[name] for name in ("device", "key"))
        where = f"device {number}"
        self._by_registrar("key.registrar", where, occurrence)
        known = self._known(where, number)
        try:
            key: DeviceKey = key_of(details)
        except (WattbookError, ValueError) as error:
            self.findings.require("key.form", where, False, expected="a key within its limits", found=error)
            return
        if known is None:
            return
        last = known.keys[-1].from_slot
        self.findings.require(
            "key.ascending", where, key.from_slot > last, expected=f"after {last}", found=key.from_slot
        )
        known.keys.append(key)

    def _closed(self, occurrence: Occurrence) -> None:
        number, day = (occurrence.event.arguments[name] for name in ("device", "day"))
        where = f"device {number}"
        self._by_registrar("close.registrar", where, occurrence)
        known = self._known(where, number)
        if known is not None:
            self.findings.check("close.once", where, expected=0, found=known.closed_day)
            known.closed_day = day

    def _known(self, where: str, number: int) -> DeviceModel | None:
        known = self.guarantees.devices.get(number)
        self.findings.require(
            "device.known", where, known is not None, expected="a registered device", found="none"
        )
        return known

    # Evidence and requests

    def _anchored(self, occurrence: Occurrence) -> None:
        number, day, revision, root, leaves = (
            occurrence.event.arguments[name] for name in ("device", "day", "revision", "root", "leaves")
        )
        where = f"day {day} of device {number}"
        self._by_issuer("anchor.issuer", where, occurrence)
        self._known(where, number)
        over_at = (day + 1) * DAY_S
        self.findings.require(
            "anchor.over", where, occurrence.timestamp >= over_at, expected=f"after {over_at}",
            found=occurrence.timestamp,
        )  # fmt: skip
        former = self.guarantees.anchors.get((number, day))
        expected = 0 if former is None else former.revision + 1
        self.findings.check("anchor.revision", where, expected=expected, found=revision)
        self.guarantees.anchors[number, day] = AnchorModel(expected, root, leaves)

    def _requested(self, occurrence: Occurrence) -> None:
        number, device, first, last = (
            occurrence.event.arguments[name] for name in ("number", "device", "first_slot", "last_slot")
        )
        where = f"request {number}"
        requests = self.guarantees.requests
        self.findings.check("request.number", where, expected=len(requests) + 1, found=number)
        known = self._known(where, device)
        requests.append(RequestModel(device, first, last))
        if known is None:
            return
        self.check_sender("request.owner", where, occurrence, known.device.owner)
        length_s = known.device.slot_length_s
        is_period = first <= last < first + MAX_REQUEST_S and first % length_s == last % length_s == 0
        self.findings.require(
            "request.period", where, is_period and occurrence.timestamp >= last + length_s,
            expected="slots that are over, at most 366 days of them", found=(first, last),
        )  # fmt: skip

    def _decided(self, occurrence: Occurrence) -> None:
        number, approved = (occurrence.event.arguments[name] for name in ("number", "approved"))
        where = f"request {number}"
        self._by_issuer("decide.issuer", where, occurrence)
        requests = self.guarantees.requests
        is_known = self.findings.require(
            "decide.known", where, 0 < number <= len(requests), expected="a request", found="none"
        )
        if is_known:
            request = requests[number - 1]
            self.findings.check("decide.once", where, expected=None, found=request.approved)
            request.approved = approved
