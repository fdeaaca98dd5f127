"""How far a chain's time runs ahead of the clock, which it remembers."""

from ledger.devchain.store import Store, Table

_TIME_OFFSET = b"time_offset"


def read_time_offset(store: Store) -> int:
    """Seconds that the chain's time is ahead of the clock; negative if behind."""
    stored = store.get(Table.SETTINGS, _TIME_OFFSET)
    return 0 if stored is None else int.from_bytes(stored, signed=True)


def write_time_offset(store: Store, seconds: int) -> None:
    """Remember it; inside the store's write transaction."""
    store.put(Table.SETTINGS, _TIME_OFFSET, seconds.to_bytes(8, signed=True))
