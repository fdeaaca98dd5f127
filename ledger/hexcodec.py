"""Hexadecimal as JSON-RPC writes it: quantities without leading zeros, data with two digits a byte."""

import re

_QUANTITY = re.compile(r"0x[0-9a-fA-F]+")


def from_quantity(text: str) -> int:
    """The number that `0x2a` stands for.

    Raises:
        ValueError: it is anything but `0x` and hexadecimal digits.
    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a hexadecimal quantity such as 0x2a")
    return int(text, 16)


def from_data(text: str) -> bytes:
    """The bytes that `0x00ff` stands for.

    Raises:
        ValueError: it is anything but `0x` and pairs of hexadecimal digits.
    """
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        data = None
    if data is None or not text.startswith("0x") or len(text) != 2 + 2 * len(data):  # it passes over white space
        raise ValueError(f"{text[:80]!r} is not hexadecimal data such as 0x00ff")
    return data


def to_quantity(number: int) -> str:
    """Such as `0x2a`; zero is `0x0`."""
    return f"{number:#x}"


def to_data(data: bytes) -> str:
    """Such as `0x00ff`; nothing is `0x`."""
    return "0x" + data.hex()
