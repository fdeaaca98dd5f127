"""Merkle trees over order hashes, as RFC 6962 section 2.1 builds them, with keccak-256.

Leaves and inner nodes are hashed with different prefixes, so that neither can be passed off as the other, and the
tree depends on the order of its leaves: a book's leaves are order hashes in ascending order, so that two
neighbours prove that nothing lies between them.
"""

from collections.abc import Sequence

from eth_hash.auto import keccak

EMPTY_ROOT = bytes(32)
_LEAF, _NODE = b"\x00", b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree's root; `EMPTY_ROOT` for no leaves."""
    if not leaves:
        return EMPTY_ROOT
    return _subtree([keccak(_LEAF + leaf) for leaf in leaves])


def commitment(tree_root: bytes, size: int) -> bytes:
    """What the exchange keeps of a book: one word for its root and its size."""
    return keccak(tree_root + size.to_bytes(32, "big"))


def _subtree(nodes: Sequence[bytes]) -> bytes:
    # Level by level, an odd node at the end moving up unchanged: the same tree as the RFC's recursion by the
    # largest power of two, without its recursion.
    while len(nodes) > 1:
        paired = [keccak(_NODE + nodes[i] + nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
        nodes = paired + list(nodes[len(nodes) - len(nodes) % 2 :])
    return nodes[0]
