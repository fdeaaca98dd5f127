"""A small contract for the chain tests, and just enough ABI encoding to talk to it."""

from functools import cache

import vyper
from eth_hash.auto import keccak
from vyper.compiler.settings import Settings

SOURCE = """
event Noted:
    author: indexed(address)
    key: indexed(uint256)
    note: uint256

event Cleared:
    key: indexed(uint256)

notes: public(HashMap[uint256, uint256])

@external
def set_note(key: uint256, note: uint256):
    assert note < 1000, "notes: too large"
    self.notes[key] = note
    log Noted(author=msg.sender, key=key, note=note)

@external
def clear(key: uint256):
    assert self.notes[key] != 0
    self.notes[key] = 0
    log Cleared(key=key)

@external
@view
def timestamp() -> uint256:
    return block.timestamp

@external
@view
def hash_of(number: uint256) -> bytes32:
    return blockhash(number)

@external
@view
def chain() -> uint256:
    return chain.id

@external
@view
def impossible():
    assert self.notes[0] != 0, UNREACHABLE
"""

NOTED = keccak(b"Noted(address,uint256,uint256)")
CLEARED = keccak(b"Cleared(uint256)")


@cache
def bytecode() -> bytes:
    compiled = vyper.compile_code(SOURCE, output_formats=["bytecode"], settings=Settings(evm_version="london"))
    return bytes.fromhex(compiled["bytecode"].removeprefix("0x"))


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def calldata(signature: str, *arguments: int) -> bytes:
    return keccak(signature.encode())[:4] + b"".join(map(word, arguments))


def set_note(key: int, note: int) -> bytes:
    return calldata("set_note(uint256,uint256)", key, note)


def clear(key: int) -> bytes:
    return calldata("clear(uint256)", key)


def notes(key: int) -> bytes:
    return calldata("notes(uint256)", key)
