"""The log index finds what reading every log would find, whatever has been added and removed."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain import Hash, Log
from ledger.devchain.log_index import LogFilter, add_block, candidate_blocks, remove_block
from ledger.devchain.store import Store, Table

ADDRESSES = [bytes([byte]) * 20 for byte in (1, 2, 3)]
TOPICS = [bytes([byte]) * 32 for byte in (1, 2, 3, 4)]
LAST_BLOCK = 300

Body = tuple[bytes, list[bytes]]
Restriction = bytes | list[bytes] | None
Query = tuple[int, int, Restriction, list[Restriction]]

addresses = st.sampled_from(ADDRESSES)
topics = st.sampled_from(TOPICS)
bodies = st.tuples(addresses, st.lists(topics, max_size=4))
blocks = st.dictionaries(st.integers(0, LAST_BLOCK), st.lists(bodies, max_size=4), max_size=12)
restrictions = st.none() | topics | st.lists(topics, max_size=3)
filters = st.tuples(
    st.integers(0, LAST_BLOCK),
    st.integers(0, LAST_BLOCK),
    st.none() | addresses | st.lists(addresses, max_size=2),
    st.lists(restrictions, max_size=4),
)


def log(number: int, index: int, address: bytes, log_topics: Sequence[Hash]) -> Log:
    return Log(address, tuple(log_topics), b"", number, bytes(32), bytes(32), 0, index)


def passes(candidate: Log, address: Restriction, wanted: Sequence[Restriction]) -> bool:
    def fits(value: bytes, restriction: Restriction) -> bool:
        if restriction is None:
            return True
        return value == restriction if isinstance(restriction, bytes) else value in restriction

    return (
        fits(candidate.address, address)
        and len(candidate.topics) >= len(wanted)
        and all(map(fits, candidate.topics, wanted))
    )


@settings(max_examples=200, deadline=None)
@given(blocks, st.sets(st.integers(0, LAST_BLOCK)), st.lists(filters, min_size=1, max_size=5))
def test_the_index_agrees_with_reading_every_log(
    chain: dict[int, list[Body]], removed: set[int], queries: list[Query]
) -> None:
    store = Store(None)
    try:
        logs = {
            number: [log(number, index, *body) for index, body in enumerate(bodies_of_block)]
            for number, bodies_of_block in chain.items()
        }
        with store.writing():
            for number, entries in logs.items():
                add_block(store, number, entries)
        with store.writing():
            for number in removed & logs.keys():
                remove_block(store, number, logs.pop(number))
        for first, last, address, wanted in queries:
            log_filter = LogFilter.of(address, wanted)
            candidates = list(candidate_blocks(store, first, last, log_filter))
            found = [entry for number in candidates for entry in logs[number] if log_filter.matches(entry)]
            expected = [
                entry
                for number in sorted(logs)
                if first <= number <= last
                for entry in logs[number]
                if passes(entry, address, wanted)
            ]
            assert found == expected
            assert candidates == sorted(set(candidates))
    finally:
        store.close()


def test_a_sparse_match_is_found_without_visiting_the_blocks_between() -> None:
    common, rare = TOPICS[0], TOPICS[1]
    store = Store(None)
    with store.writing():
        for number in range(2_000):
            second = rare if number % 1_000 == 7 else TOPICS[2]
            add_block(store, number, [log(number, 0, ADDRESSES[0], [common, second])])
    seeks = 0
    seek = store.first_key_from

    def counted(table: Table, key: bytes) -> bytes | None:
        nonlocal seeks
        seeks += 1
        return seek(table, key)

    store.first_key_from = counted  # type: ignore[method-assign]
    wanted = LogFilter.of(ADDRESSES[0], [common, rare])
    assert list(candidate_blocks(store, 0, 1_999, wanted)) == [7, 1_007]
    assert seeks < 30
    store.close()
