"""What can be wrong with a development chain itself, as opposed to what is sent to it."""

from ledger.chain import ChainError


class DirectoryInUseError(ChainError):
    """Another process has the chain's directory open."""

    code = "devchain.in_use"


class GenesisMismatchError(ChainError):
    """The directory holds a chain that began differently from the one asked for."""

    code = "devchain.genesis_mismatch"


class UnknownSnapshotError(ChainError):
    """No such snapshot: it was never taken, or a revert to an earlier one dropped it."""

    code = "devchain.unknown_snapshot"


class InvalidTimeError(ChainError):
    """Time cannot go there: each block is later than its parent, and no time exceeds the limit."""

    code = "devchain.invalid_time"


class AutoMiningRequiredError(ChainError):
    """Transactions cannot be made to wait: the chain mines each at once, in a block of its own."""

    code = "devchain.auto_mining_required"


class SlowCryptographyError(ChainError):
    """A compiled cryptography package is missing; without it the chain is several times slower."""

    code = "devchain.slow_cryptography"


class UnknownBlockError(ChainError):
    """The chain has no such block."""

    code = "devchain.unknown_block"


class StorageFailedError(ChainError):
    """The database refused to write, a full disk being the likely reason; nothing of the block was kept."""

    code = "devchain.storage_failed"


class NoChainError(ChainError):
    """There is no chain in the directory."""

    code = "devchain.no_chain"


class ChainExistsError(ChainError):
    """The directory holds a chain already, which an import would overwrite."""

    code = "devchain.chain_exists"


class CannotListenError(ChainError):
    """The address is not this machine's, or its port is in use or not ours to use."""

    code = "devchain.cannot_listen"
