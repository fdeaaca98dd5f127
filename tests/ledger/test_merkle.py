"""Merkle roots against the recursion that RFC 6962, section 2.1, defines them by."""

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import EMPTY_ROOT, root

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
