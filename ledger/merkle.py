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


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from a leaf to the root, from the bottom up (RFC 9162, section 2.1.3.1).

    Raises:
        IndexError: there is no such leaf.
    """
    return paths(leaves, [index])[0]


def paths(leaves: Sequence[bytes], indices: Sequence[int]) -> list[list[bytes]]:
    """As `path`, for several leaves of the same tree, which takes no longer than for one."""
    for index in indices:
        if not 0 <= index < len(leaves):
            raise IndexError(f"leaf {index} of {len(leaves)}: must be 0 to {len(leaves) - 1}")
    found: list[list[bytes]] = [[] for _ in indices]
    nodes: Sequence[bytes] = [keccak(_LEAF + leaf) for leaf in leaves]
    height = 0
    while len(nodes) > 1:
        for siblings, index in zip(found, indices, strict=True):
            sibling = (index >> height) ^ 1
            # The odd node at the end has none, and moves up.
            if sibling < len(nodes):
                siblings.append(nodes[sibling])
        nodes, height = _level_above(nodes), height + 1
    return found


def root_by_path(leaf: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes | None:
    """The root of the tree of `size` leaves that has this leaf at `index`, if these are the hashes on its way.

    Returns:
        None if the way of such a leaf has another length. `contracts/challenges.vy` computes the same.
    """
    if not 0 <= index < size:
        return None
    remaining = list(reversed(siblings))
    node = keccak(_LEAF + leaf)
    last = size - 1
    while last > 0:
        if index % 2 == 1 or index < last:
            if not remaining:
                return None
            sibling = remaining.pop()
            node = keccak(_NODE + sibling + node) if index % 2 == 1 else keccak(_NODE + node + sibling)
        index, last = index // 2, last // 2
    return None if remaining else node


def _subtree(nodes: Sequence[bytes]) -> bytes:
    while len(nodes) > 1:
        nodes = _level_above(nodes)
    return nodes[0]


def _level_above(nodes: Sequence[bytes]) -> list[bytes]:
    # An odd node at the end moves up unchanged: the same tree as the RFC's recursion by the largest power of two,
    # without its recursion.
    paired = [keccak(_NODE + nodes[i] + nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
    return paired + list(nodes[len(nodes) - len(nodes) % 2 :])
