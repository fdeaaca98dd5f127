# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Merkle: whether a tree has a leaf at a place
@license GNU Affero General Public License v3.0 only
@notice The trees of RFC 6962 and 9162 with keccak-256: leaves are hashed with a 0 before them, inner nodes with a 1.
"""

MAX_PATH: constant(uint256) = 32


@internal
@pure
def has_leaf(root: bytes32, size: uint256, leaf: bytes32, place: uint256, path: DynArray[bytes32, MAX_PATH]) -> bool:
    """
    @dev RFC 9162, section 2.1.3.2.
    @param path The hashes that lead from the leaf to the root, from the bottom up.
    """
    if place >= size:
        return False
    index: uint256 = place
    last: uint256 = size - 1
    node: bytes32 = keccak256(concat(x"00", leaf))
    for sibling: bytes32 in path:
        if last == 0:
            return False
        if index & 1 == 1 or index == last:
            node = keccak256(concat(x"01", sibling, node))
            for level: uint256 in range(MAX_PATH):
                if index & 1 == 1 or index == 0:
                    break
                index >>= 1
                last >>= 1
        else:
            node = keccak256(concat(x"01", node, sibling))
        index >>= 1
        last >>= 1
    return last == 0 and node == root
