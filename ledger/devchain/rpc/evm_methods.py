"""The `evm_` methods: what only a development chain lets its clients do."""

from collections.abc import Mapping, Sequence

from ledger.devchain.chain import DevChain
from ledger.devchain.errors import UnknownSnapshotError
from ledger.devchain.rpc.errors import InvalidParamsError
from ledger.devchain.rpc.methods import Method
from ledger.devchain.rpc.params import Json, optional, positional, read_field, read_quantity
from ledger.hexcodec import to_quantity

MAX_BLOCKS_AT_ONCE = 10_000


class EvmMethods:
    """Snapshots, time and mining, by name in `table`."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self.table: Mapping[str, Method] = {
            "evm_snapshot": lambda _: to_quantity(chain.snapshot()),
            "evm_revert": self._revert,
            "evm_increaseTime": self._increase_time,
            "evm_setNextBlockTimestamp": self._set_next_timestamp,
            "evm_mine": self._mine,
        }

    def _revert(self, params: Sequence[Json]) -> Json:
        try:
            self._chain.revert(read_quantity(positional(params, 0, "snapshot"), "snapshot"))
        except UnknownSnapshotError:
            return False
        return True

    def _increase_time(self, params: Sequence[Json]) -> Json:
        seconds = read_quantity(positional(params, 0, "seconds"), "seconds")
        return self._chain.advance_time(seconds)

    def _set_next_timestamp(self, params: Sequence[Json]) -> Json:
        self._chain.set_next_timestamp(read_quantity(positional(params, 0, "timestamp"), "timestamp"))

    def _mine(self, params: Sequence[Json]) -> Json:
        """Clients give nothing, the block's timestamp, or `{"blocks": count}`."""
        argument = optional(params, 0)
        if isinstance(argument, dict):
            count = read_field(argument, "blocks", read_quantity, 1)
            if not 1 <= count <= MAX_BLOCKS_AT_ONCE:
                raise InvalidParamsError("blocks", f"{count} is not between 1 and {MAX_BLOCKS_AT_ONCE}")
            self._chain.mine(count)
            return "0x0"
        if argument is not None:
            self._chain.set_next_timestamp(read_quantity(argument, "timestamp"))
        self._chain.mine()
        return "0x0"
