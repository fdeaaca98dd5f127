"""What py-evm needs of the interpreter, and what its packages must not be left to do to it."""

from eth_hash.auto import keccak
from eth_hash.backends import pysha3
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.main import lazy_key_api as keys

from ledger.devchain.errors import SlowCryptographyError
from ledger.recursion import bound_recursion


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
    bound_recursion()
