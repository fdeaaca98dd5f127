"""`/v1/devices`: what consumes and generates, where and whose it is, and whose meter signs for it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from ledger.devices import (
    MAX_DAY,
    MAX_EFFICIENCY_PPM,
    MAX_LATITUDE,
    MAX_LONGITUDE,
    MAX_NAMEPLATE_W,
    Device,
    DeviceKey,
    DeviceKind,
    Support,
    metering_point,
)
from ledger.eecs import fuel_code, fuel_number, technology_code, technology_number
from ledger.evidence.evidence import Context, Register
from ledger.evidence.keys import MAX_KEY_BYTES, KeyAlgorithm, MeterKey, MeterKeys
from matching.orders import MAX_TIME
from node.api.fields import Address, DeviceNumber, Hexadecimal, Named
from node.api.operator import OPERATOR
from node.api.paging import MAX_LIMIT, Cursor, Limit, Page, cut, number_name
from node.api.services import Parts
from node.problems import RequestError
from node.store.records import DeviceRecord

router = APIRouter(prefix="/devices", tags=["devices"])

_MAX_TEXT = 100


class KeyFields(BaseModel):
    """A meter's public key: 32 bytes of Ed25519, or an ECDSA key as DER of a SubjectPublicKeyInfo."""

    model_config = ConfigDict(extra="forbid", strict=True)

    algorithm: Annotated[KeyAlgorithm, Named(KeyAlgorithm)] = KeyAlgorithm.ED25519
    public_key: Annotated[bytes, Hexadecimal(most=MAX_KEY_BYTES)]


class RegisterFields(BaseModel):
    """Which register of an OCMF meter counts: serial numbers (empty if not given), OBIS code, page counter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gateway_serial: str = Field(default="", max_length=_MAX_TEXT)
    meter_serial: str = Field(default="", max_length=_MAX_TEXT)
    obis: str = Field(max_length=_MAX_TEXT)
    context: Annotated[Context, Named(Context)] = Context.TRANSACTION


class DeviceFields(BaseModel):
    """A device.

    `technology` and `fuel` are EECS codes, such as T010100 and F01040100; null for loads and what charges a
    storage. Coordinates are hundredths of a degree, `efficiency_ppm` is a storage's. `zone` is the EIC code, or
    the name, of its bidding zone or grid area: by default the market's. `register` is for OCMF meters only.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    device: DeviceNumber
    account: Address
    kind: Annotated[DeviceKind, Named(DeviceKind)]
    nameplate_w: int = Field(default=0, ge=0, le=MAX_NAMEPLATE_W)
    standing: bool = True
    technology: str | None = None
    fuel: str | None = None
    zone: str | None = None
    latitude: int = Field(default=0, ge=-MAX_LATITUDE, le=MAX_LATITUDE)
    longitude: int = Field(default=0, ge=-MAX_LONGITUDE, le=MAX_LONGITUDE)
    commissioned_day: int = Field(default=0, ge=0, le=MAX_DAY)
    support: Annotated[Support, Named(Support)] = Support.NONE
    storage: DeviceNumber = 0
    efficiency_ppm: int = Field(default=0, ge=0, le=MAX_EFFICIENCY_PPM)
    metering_point: str = Field(min_length=1, max_length=_MAX_TEXT)
    key: KeyFields
    register_: RegisterFields | None = Field(default=None, alias="register")
    name: str = Field(default="", max_length=_MAX_TEXT)


class ValidKey(BaseModel):
    """A key, and from which slot on it is the meter's; null: none is."""

    from_slot: int
    key: KeyFields | None


class DeviceOut(DeviceFields):
    """A registered device; deliveries wait for its readings from `first_slot` on, until `closed_day`.

    `key` is the first of `keys`.
    """

    area: int
    keys: list[ValidKey]
    first_slot: int
    closed_day: int | None


class KeyChange(BaseModel):
    """From `from_slot` on, which has not begun, another key is valid; null: none is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    from_slot: int = Field(ge=0, le=MAX_TIME)
    key: KeyFields | None


class Closing(BaseModel):
    """The Unix day from which on the device is closed, which has not begun."""

    model_config = ConfigDict(extra="forbid", strict=True)

    day: int = Field(ge=1, le=MAX_DAY)


@router.get("")
def list_devices(
    parts: Parts,
    *,
    account: Address | None = None,
    kind: Annotated[DeviceKind, Named(DeviceKind)] | None = None,
    limit: Limit = MAX_LIMIT,
    cursor: Cursor = None,
) -> Page[DeviceOut]:
    """Devices, by number: all, or one account's or kind's."""
    after = number_name(cursor)
    found = [
        device
        for device in parts.store.devices(account=account)
        if (after is None or device.device > after) and kind in (None, device.details.kind)
    ]
    page, following = cut(found[: limit + 1], limit, lambda device: (str(device.device),))
    return Page(items=[_device_out(parts, device) for device in page], next=following)


@router.get("/{device}")
def read_device(device: DeviceNumber, parts: Parts) -> DeviceOut:
    """One device."""
    found = parts.store.device(device)
    if found is None:
        raise RequestError(f"there is no device {device}", code="device.unknown")
    return _device_out(parts, found)


@router.post("", dependencies=[OPERATOR])
def register_device(fields: DeviceFields, parts: Parts) -> DeviceOut:
    """Enter a member's device; the operator's API key is needed. Repeating it changes nothing."""
    key = _meter_key(fields.key)
    details = Device(
        device=fields.device,
        owner=fields.account,
        area=parts.onboarding.area(fields.zone),
        kind=fields.kind,
        nameplate_w=fields.nameplate_w,
        slot_length_s=parts.market.slot_length_s,
        metering_point=metering_point(fields.metering_point),
        key=DeviceKey.of(key),
        standing=fields.standing,
        technology=0 if fields.technology is None else technology_number(fields.technology),
        fuel=0 if fields.fuel is None else fuel_number(fields.fuel),
        latitude=fields.latitude,
        longitude=fields.longitude,
        commissioned_day=fields.commissioned_day,
        support=fields.support,
        storage=fields.storage,
        efficiency_ppm=fields.efficiency_ppm,
    )
    record = DeviceRecord(
        details=details,
        keys=MeterKeys(((0, key),)),
        metering_point=fields.metering_point,
        register=None if fields.register_ is None else Register(**fields.register_.model_dump()),
        name=fields.name,
    )
    return _device_out(parts, parts.onboarding.register_device(record))


@router.post("/{device}/keys", dependencies=[OPERATOR])
def change_key(device: DeviceNumber, fields: KeyChange, parts: Parts) -> DeviceOut:
    """Let another key sign for a device's meter from a slot on; the operator's API key is needed."""
    key = None if fields.key is None else _meter_key(fields.key)
    return _device_out(parts, parts.onboarding.rotate_key(device, fields.from_slot, key))


@router.post("/{device}/close", dependencies=[OPERATOR])
def close_device(device: DeviceNumber, fields: Closing, parts: Parts) -> DeviceOut:
    """Meter and certify nothing more of a device from a day on; the operator's API key is needed."""
    return _device_out(parts, parts.onboarding.close_device(device, fields.day))


def _meter_key(fields: KeyFields) -> MeterKey:
    return MeterKey(fields.algorithm, fields.public_key)


def _key_out(key: MeterKey | None) -> KeyFields | None:
    if key is None:
        return None
    return KeyFields(algorithm=key.algorithm, public_key=key.public_key)


def _device_out(parts: Parts, record: DeviceRecord) -> DeviceOut:
    details, register = record.details, record.register
    return DeviceOut.model_validate(
        {
            "device": details.device,
            "account": details.owner,
            "kind": details.kind,
            "nameplate_w": details.nameplate_w,
            "standing": details.standing,
            "technology": technology_code(details.technology) if record.generates else None,
            "fuel": fuel_code(details.fuel) if record.generates else None,
            "zone": parts.onboarding.zone(details.area),
            "latitude": details.latitude,
            "longitude": details.longitude,
            "commissioned_day": details.commissioned_day,
            "support": details.support,
            "storage": details.storage,
            "efficiency_ppm": details.efficiency_ppm,
            "metering_point": record.metering_point,
            "key": _key_out(record.keys.spans[0][1]),
            "register": None if register is None else _register_out(register),
            "name": record.name,
            "area": details.area,
            "keys": [{"from_slot": slot, "key": _key_out(key)} for slot, key in record.keys.spans],
            "first_slot": record.first_slot,
            "closed_day": record.closed_day,
        }
    )


def _register_out(register: Register) -> RegisterFields:
    return RegisterFields(
        gateway_serial=register.gateway_serial,
        meter_serial=register.meter_serial,
        obis=register.obis,
        context=register.context,
    )
