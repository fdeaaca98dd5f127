"""The API's own kinds of fields.

Bytes are hexadecimal, `0x` first, in lower case; any case is taken. Amounts of money are decimal strings of
nano-credits. Numbers of 64 bits that are names rather than quantities (salts, devices) are decimal strings too,
because JavaScript's numbers end at 2**53; integers are taken as well. Energy, prices and times are integers.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ledger.certificates.ids import CertificateId, CertificateIdError
from ledger.hexcodec import from_data, from_quantity, to_data, to_quantity
from matching.orders import MAX_TIME


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """Bytes of a fixed length, or of up to `most`."""

    length: int | None = None
    most: int | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                to_data, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        digits = "*" if self.length is None else f"{{{2 * self.length}}}"
        return {"type": "string", "pattern": f"^0x[0-9a-fA-F]{digits}$"}

    def _parse(self, value: object) -> bytes:
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            raise ValueError("must be a string of hexadecimal digits")  # noqa: TRY004 -- pydantic catches ValueError
        try:
            data = from_data(value)
        except ValueError as error:
            raise ValueError(f"must be {self._form()}") from error
        if self.length is not None and len(data) != self.length:
            raise ValueError(f"must be {self._form()}, has {2 * len(data)}")
        if self.most is not None and len(data) > self.most:
            raise ValueError(f"must be {self._form()}, has {2 * len(data)}")
        return data

    def _form(self) -> str:
        if self.length is not None:
            return f"0x and {2 * self.length} hexadecimal digits"
        return "0x and an even number of hexadecimal digits" + (f", at most {2 * self.most}" if self.most else "")


@dataclass(frozen=True, slots=True)
class Named:
    """A member of an enumeration, by its name in lower case."""

    kind: type[Enum]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda member: member.name.lower(), return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "enum": [member.name.lower() for member in self.kind]}

    def _parse(self, value: object) -> Enum:
        if isinstance(value, self.kind):
            return value
        for member in self.kind:
            if member.name.lower() == value:
                return member
        names = ", ".join(member.name.lower() for member in self.kind)
        raise ValueError(f"must be one of {names}")


Address = Annotated[bytes, Hexadecimal(20)]
Hash = Annotated[bytes, Hexadecimal(32)]
Signature = Annotated[bytes, Hexadecimal(65)]
MeterSignature = Annotated[bytes, Hexadecimal(64)]


@dataclass(frozen=True, slots=True)
class _TokenId:
    """A certificate by its ERC-1155 token id, hexadecimal."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda certificate: to_quantity(int(certificate)), return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": "^0x[0-9a-fA-F]{1,36}$"}

    def _parse(self, value: object) -> CertificateId:
        if isinstance(value, CertificateId):
            return value
        if not isinstance(value, str):
            raise ValueError("must be a string of hexadecimal digits")  # noqa: TRY004 -- pydantic catches ValueError
        try:
            return CertificateId.of(from_quantity(value))
        except CertificateIdError as error:
            raise ValueError(str(error)) from error


TokenId = Annotated[CertificateId, _TokenId()]


def _number(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    return value


Uint64 = Annotated[
    int,
    BeforeValidator(_number),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,20}$"}),
]
DeviceNumber = Annotated[Uint64, Field(ge=0, lt=2**64)]
"""A device, where it is looked for."""
Slot = Annotated[int, Field(ge=0, le=MAX_TIME)]
"""A slot's start, where slots are looked for, Unix seconds UTC."""
Nano = Annotated[
    int, PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string", "pattern": "^-?[0-9]+$"})
]
