"""What py-evm needs of the interpreter, and what its packages must not be left to do to it."""

import sys

from eth import EVM_RECURSION_LIMIT
from eth_hash.auto import keccak
from eth_hash.backends import pysha3
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.main import lazy_key_api as keys

from ledger.devchain.errors import SlowCryptographyError


def prepare_runtime() -> None:
    """Select compiled cryptography and a recursion limit under which the stack cannot overflow.

    Raises:
        SlowCryptographyError: `coincurve` is missing or another signature package was chosen over it.
    """
    if not isinstance(keys.backend, CoinCurveECCBackend):
        chosen = type(keys.backend).__name__
        raise SlowCryptographyError(f"signatures would be made by {chosen}: install the package 'coincurve'")
    # eth-hash prefers pycryptodome when both are installed, at ten times the cost of a hash.
    keccak.hasher = pysha3.keccak256  # type: ignore[assignment]  # only the parameter's name differs
    keccak.preimage = pysha3.preimage  # type: ignore[assignment]  # likewise
    # A package that py-evm imports raises the limit to 100,000 for the whole process. Recursive C code, such
    # as the standard JSON parser on deeply nested input, then overflows the stack instead of raising. py-evm
    # itself, for its 1,024 nested calls, wants no more than this.
    sys.setrecursionlimit(EVM_RECURSION_LIMIT)
