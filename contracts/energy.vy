# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Energy: the exchange's open positions, seen as ERC-1155 tokens
@license GNU Affero General Public License v3.0 only
@notice One token is the right to take one Wh in one slot; the token's id is the slot's start in Unix seconds. It
        exists from settlement to delivery and is created and redeemed by the exchange alone, which keeps all
        positions; this contract holds no state. A token cannot be transferred: it is matched by a delivery at
        its holder's meter. To pass energy on, offer it in the market.
"""

from snekmate.tokens.interfaces import IERC1155

implements: IERC1155


interface Exchange:
    def position_of(account: address, slot: uint256) -> int256: view


BATCH_SIZE: constant(uint256) = 128
ERC165_ID: constant(bytes4) = 0x01ffc9a7
ERC1155_ID: constant(bytes4) = 0xd9b67a26

EXCHANGE: immutable(Exchange)


@deploy
def __init__(exchange: address):
    assert exchange != empty(address), "energy: exchange"
    EXCHANGE = Exchange(exchange)


@external
@view
def balanceOf(account: address, id: uint256) -> uint256:
    """
    @return Wh the account bought and has not yet taken in the slot that starts at `id`.
    """
    return self._tokens(account, id)


@external
@view
def balanceOfBatch(
    owners: DynArray[address, BATCH_SIZE], ids: DynArray[uint256, BATCH_SIZE]
) -> DynArray[uint256, BATCH_SIZE]:
    assert len(owners) == len(ids), "energy: lengths"
    balances: DynArray[uint256, BATCH_SIZE] = []
    for i: uint256 in range(len(owners), bound=BATCH_SIZE):
        balances.append(self._tokens(owners[i], ids[i]))
    return balances


@external
@view
def obligation_of(account: address, id: uint256) -> uint256:
    """
    @return Wh the account sold and has not yet delivered in the slot that starts at `id`.
    """
    position: int256 = staticcall EXCHANGE.position_of(account, id)
    return convert(max(-position, 0), uint256)


@external
@view
def isApprovedForAll(owner: address, operator: address) -> bool:
    return False


@external
def setApprovalForAll(operator: address, approved: bool):
    raise "energy: not transferable"


@external
def safeTransferFrom(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1_024]):
    raise "energy: not transferable"


@external
def safeBatchTransferFrom(
    owner: address,
    to: address,
    ids: DynArray[uint256, BATCH_SIZE],
    amounts: DynArray[uint256, BATCH_SIZE],
    data: Bytes[1_024],
):
    raise "energy: not transferable"


@external
@view
def exchange() -> address:
    return EXCHANGE.address


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return interface_id in [ERC165_ID, ERC1155_ID]


@internal
@view
def _tokens(account: address, id: uint256) -> uint256:
    position: int256 = staticcall EXCHANGE.position_of(account, id)
    return convert(max(position, 0), uint256)
