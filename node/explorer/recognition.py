"""Which contract of ours is at an address: told by its code, so that it works on any chain, without being told."""

from functools import cache

from contracts.artifacts import artifacts
from ledger.chain import Address, Chain

MAX_REMEMBERED = 10_000


class Recognition:
    """Names of contracts by address on one chain. Remembers those that it has found: code does not change."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._found: dict[Address, str | None] = {}

    def contract_at(self, address: Address) -> str | None:
        """The contract's name, or None if there is none, or none of ours.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        if address not in self._found:
            code = self._chain.code(address)
            if not code:
                return None  # a contract may yet come
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            self._found[address] = _name(code)
        return self._found[address]


def _name(code: bytes) -> str | None:
    return next((name for name, runtime_code in _codes() if code.startswith(runtime_code)), None)


@cache
def _codes() -> tuple[tuple[str, bytes], ...]:
    """On chain, what a contract was told at its deployment stands behind its code."""
    return tuple((name, artifact.runtime_code) for name, artifact in artifacts().items())
