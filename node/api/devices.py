"""`/v1/devices`: what consumes and generates, and whose meter signs for it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from node.api.fields import Address, Hash, Uint64
from node.api.operator import OPERATOR
from node.api.services import Parts
from node.store.records import DeviceRecord, Technology

router = APIRouter(prefix="/devices", tags=["devices"])

MAX_NAMEPLATE_W = 10**9


class DeviceFields(BaseModel):
    """A device; `meter_key` is the Ed25519 public key that its meter's signatures are checked with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device: Annotated[Uint64, Field(ge=0, lt=2**64)]
    account: Address
    technology: Annotated[Technology, Field(strict=False)]
    nameplate_w: int = Field(ge=0, le=MAX_NAMEPLATE_W)
    meter_key: Hash
    name: str = Field(default="", max_length=100)


class DeviceOut(DeviceFields):
    """A registered device; deliveries wait for its readings from `first_slot` on."""

    first_slot: int


class Devices(BaseModel):
    """Devices, by number."""

    items: list[DeviceOut]


@router.get("")
def list_devices(parts: Parts, account: Address | None = None) -> Devices:
    """All devices, or one account's."""
    return Devices(items=[_device_out(device) for device in parts.store.devices(account=account)])


@router.post("", dependencies=[OPERATOR])
def register_device(fields: DeviceFields, parts: Parts) -> DeviceOut:
    """Enter a member's device; the operator's API key is needed. Repeating it changes nothing."""
    device = DeviceRecord(
        device=fields.device,
        account=fields.account,
        technology=fields.technology,
        nameplate_w=fields.nameplate_w,
        meter_key=fields.meter_key,
        name=fields.name,
    )
    return _device_out(parts.onboarding.register_device(device))


def _device_out(device: DeviceRecord) -> DeviceOut:
    return DeviceOut(
        device=device.device,
        account=device.account,
        technology=device.technology,
        nameplate_w=device.nameplate_w,
        meter_key=device.meter_key,
        name=device.name,
        first_slot=device.first_slot,
    )
