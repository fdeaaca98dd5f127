# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Credit: the payment token of a local energy exchange
@license GNU Affero General Public License v3.0 only
@notice ERC-20 with permit. One credit is one euro and has nine decimals, so that a price in nano-credits per
        watt hour times a quantity in watt hours is an amount, exactly. The treasurer, who is the owner, mints when
        fiat money arrives; whoever holds credits can burn them to have them paid out. The treasurer's role passes
        on in two steps, so that it cannot be lost to a mistyped address.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.tokens import erc20

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: erc20[ownable := ownable]

exports: (
    erc20.owner,
    erc20.IERC20,
    erc20.IERC20Detailed,
    erc20.IERC20Permit,
    erc20.eip712Domain,
    erc20.burn,
    erc20.burn_from,
    erc20.is_minter,
    erc20.mint,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
)


@deploy
def __init__(treasurer: address):
    """
    @param treasurer The only account that mints. The deployer keeps no power.
    """
    ownable.__init__()
    ownable_2step.__init__()
    erc20.__init__("Wattbook Credit", "WBC", 9, "Wattbook Credit", "1")
    self._hand_over(treasurer)


@external
def accept_ownership():
    """
    @notice The new treasurer takes the role over: from now on it mints, and its predecessor does not.
    """
    assert msg.sender == ownable_2step.pending_owner, "credit: not the new treasurer"
    self._hand_over(msg.sender)


@internal
def _hand_over(treasurer: address):
    self._set_minter(ownable.owner, False)
    self._set_minter(treasurer, True)
    ownable_2step._transfer_ownership(treasurer)


@internal
def _set_minter(account: address, may_mint: bool):
    erc20.is_minter[account] = may_mint
    log erc20.RoleMinterChanged(minter=account, status=may_mint)
