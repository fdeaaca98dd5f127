"""What a contract says when it refuses: the bytes that REVERT returned, made readable."""

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

ERROR_SELECTOR = bytes.fromhex("08c379a0")
"""Selector of `Error(string)`, which a reason string is wrapped in."""

PANIC_SELECTOR = bytes.fromhex("4e487b71")
"""Selector of `Panic(uint256)`, which Solidity's checked arithmetic and assertions revert with."""


def revert_reason(data: bytes) -> str:
    """The reason string in revert data; `"panic 0x11"` for a panic, empty if there is none."""
    selector, arguments = data[:4], data[4:]
    if selector == PANIC_SELECTOR and len(arguments) == 32:
        return f"panic {int.from_bytes(arguments):#x}"
    if selector != ERROR_SELECTOR:
        return ""
    try:
        (reason,) = decode(["string"], arguments)
    except (DecodingError, UnicodeDecodeError):
        return ""
    return str(reason)
