"""Merkle roots against the recursion that RFC 6962, section 2.1, defines them by."""

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import EMPTY_ROOT, path, root, root_by_path

leaves = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def by_definition(leaves: list[bytes]) -> bytes:
    """The RFC's MTH: split at the largest power of two below the number of leaves."""
    if len(leaves) == 1:
        return keccak(b"\x00" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return keccak(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:]))


def test_no_leaves_have_the_empty_root() -> None:
    assert root([]) == EMPTY_ROOT == bytes(32)


@pytest.mark.parametrize("count", range(1, 70))
def test_the_root_is_the_rfcs_for_every_shape_of_tree(count: int) -> None:
    leaves = [number.to_bytes(32, "big") for number in range(count)]
    assert root(leaves) == by_definition(leaves)


@given(leaves.filter(bool))
def test_the_root_is_the_rfcs_whatever_the_leaves(leaves: list[bytes]) -> None:
    assert root(leaves) == by_definition(leaves)


@given(leaves, leaves)
def test_different_books_have_different_roots(first: list[bytes], second: list[bytes]) -> None:
    assert (root(first) == root(second)) == (first == second)


def test_a_node_is_no_leaf() -> None:
    left, right = keccak(b"\x00" + b"\x01" * 32), keccak(b"\x00" + b"\x02" * 32)
    assert root([b"\x01" * 32, b"\x02" * 32]) != root([left + right])


# ------------------------------------------------------------------------------------- the way to the root


def path_by_definition(leaves: list[bytes], index: int) -> list[bytes]:
    """The PATH of RFC 9162, section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path_by_definition(leaves[:split], index), by_definition(leaves[split:])]
    return [*path_by_definition(leaves[split:], index - split), by_definition(leaves[:split])]


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


@pytest.mark.parametrize("size", range(1, 71))
def test_the_path_of_every_leaf_is_the_rfcs_and_leads_to_the_root(size: int) -> None:
    leaves = numbered(size)
    for index, leaf in enumerate(leaves):
        siblings = path(leaves, index)
        assert siblings == path_by_definition(leaves, index)
        assert root_by_path(leaf, index, size, siblings) == root(leaves)


@pytest.mark.parametrize(("size", "index"), [(0, 0), (1, 1), (5, 5), (5, -1)])
def test_a_leaf_that_is_not_there_has_no_path(size: int, index: int) -> None:
    with pytest.raises(IndexError):
        path(numbered(size), index)


@given(st.integers(1, 200), st.data())
def test_a_path_leads_to_the_root_from_its_own_leaf_place_and_length_only(size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    siblings = path(leaves, index)
    other = data.draw(st.integers(0, size + 1).filter(lambda place: place != index))
    assert root_by_path(leaves[index], other, size, siblings) != root(leaves)
    assert root_by_path(b"\xff" * 32, index, size, siblings) != root(leaves)
    assert root_by_path(leaves[index], index, size, [*siblings, bytes(32)]) is None
    if siblings:
        assert root_by_path(leaves[index], index, size, siblings[:-1]) is None
        assert root_by_path(leaves[index], index, size, [*siblings[:-1], bytes(32)]) != root(leaves)
