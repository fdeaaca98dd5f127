# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Credit: the payment token of a local energy exchange
@license GNU Affero General Public License v3.0 only
@notice ERC-20 with permit. One credit is one euro and has nine decimals, so that a price in nano-credits per
        watt hour times a quantity in watt hours is an amount, exactly. The treasurer mints when fiat money
        arrives; whoever holds credits can burn them to have them paid out.
"""

from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]

exports: erc20.__interface__


@deploy
def __init__(treasurer: address):
    """
    @param treasurer The only account that mints. The deployer keeps no power.
    """
    ownable.__init__()
    erc20.__init__("Wattbook Credit", "WBC", 9, "Wattbook Credit", "1")
    ownable._transfer_ownership(treasurer)
    erc20.is_minter[msg.sender] = False
    erc20.is_minter[treasurer] = True
