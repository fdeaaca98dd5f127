"""The credit token: who mints, who burns, and approval by signature."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger.keys import Key
from tests.world import ONE_CREDIT, World, refused


def credit(world: World, who: str | Key, function: str, *arguments: object) -> None:
    world.send(who, world.contracts.credit, function, *arguments)


def test_a_credit_has_nine_decimals(world: World) -> None:
    read = world.contracts.credit.read
    assert (read("name"), read("symbol"), read("decimals")) == ("Wattbook Credit", "WBC", 9)


def test_the_treasurer_mints_and_holders_burn(world: World) -> None:
    holder, read = world.strangers[0], world.contracts.credit.read
    supply = read("totalSupply")
    credit(world, "treasurer", "mint", holder.address, ONE_CREDIT)
    assert (read("balanceOf", holder.address), read("totalSupply")) == (ONE_CREDIT, supply + ONE_CREDIT)
    credit(world, holder, "burn", 1)
    assert (read("balanceOf", holder.address), read("totalSupply")) == (ONE_CREDIT - 1, supply + ONE_CREDIT - 1)
    with refused("erc20: burn amount exceeds balance"):
        credit(world, holder, "burn", ONE_CREDIT)


def test_nobody_burns_what_belongs_to_another(world: World) -> None:
    credit(world, "treasurer", "mint", world.strangers[0].address, 5)
    with refused("erc20: insufficient allowance"):
        credit(world, "treasurer", "burn_from", world.strangers[0].address, 5)


@pytest.mark.parametrize("who", ["deployer", "owner", "operator", "utility", "issuer"])
def test_only_the_treasurer_mints(world: World, who: str) -> None:
    with refused("erc20: access is denied"):
        credit(world, who, "mint", world.keys[who].address, 1)


def test_the_deployer_keeps_no_power_over_the_token(world: World) -> None:
    deployer, read = world.keys["deployer"], world.contracts.credit.read
    assert read("owner") == world.keys["treasurer"].address
    assert not read("is_minter", deployer.address)
    with refused("ownable: caller is not the owner"):
        credit(world, deployer, "transfer_ownership", deployer.address)


def test_the_treasurers_role_passes_only_when_the_successor_accepts(world: World) -> None:
    heir, other, read = world.strangers[0], world.strangers[1], world.contracts.credit.read
    credit(world, "treasurer", "transfer_ownership", heir.address)
    assert (read("owner"), read("pending_owner")) == (world.keys["treasurer"].address, heir.address)
    with refused("erc20: access is denied"):
        credit(world, heir, "mint", heir.address, 1)
    with refused("credit: not the new treasurer"):
        credit(world, other, "accept_ownership")
    credit(world, heir, "accept_ownership")
    credit(world, heir, "mint", heir.address, 1)
    assert (read("owner"), read("pending_owner")) == (heir.address, bytes(20))
    with refused("erc20: access is denied"):
        credit(world, "treasurer", "mint", heir.address, 1)
    with refused("credit: not the new treasurer"):
        credit(world, heir, "accept_ownership")


def test_there_is_one_minter_at_a_time_and_the_events_say_who(world: World) -> None:
    credit(world, "treasurer", "transfer_ownership", world.strangers[0].address)
    credit(world, world.strangers[0], "accept_ownership")
    head = world.chain.head().number
    changes = world.contracts.credit.events(["RoleMinterChanged"], first_block=0, last_block=head)
    minters = {change.arguments["minter"]: change.arguments["status"] for change in changes}
    assert {account for account, may in minters.items() if may} == {world.strangers[0].address}
    functions = {entry.get("name") for entry in world.contracts.credit.interface.artifact.abi}
    assert functions.isdisjoint({"set_minter", "renounce_ownership"})


def test_a_deployer_may_be_the_treasurer(world: World) -> None:
    from ledger.abi import Contract, interface
    from ledger.deployment import confirmed
    from ledger.transactions import build

    key = world.strangers[0]
    data = interface("credit").creation(key.address)
    receipt = confirmed(world.chain, build(world.chain, key, to=None, data=data).raw)
    assert receipt.contract_address is not None
    token = Contract(world.chain, receipt.contract_address, interface("credit"))
    world.send(key, token, "mint", key.address, 1)
    assert token.read("balanceOf", key.address) == 1


# ---------------------------------------------------------------------------------------------- permit


def permission(
    world: World, owner: Key, spender: bytes, amount: int, *, nonce: int, deadline: int
) -> tuple[object, ...]:
    """The arguments of `permit`, signed by `eth_account` as a wallet does."""
    fields = (
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    )
    message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Permit": [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": "Permit",
        "domain": {
            "name": "Wattbook Credit",
            "version": "1",
            "chainId": world.chain.chain_id,
            "verifyingContract": "0x" + world.contracts.credit.address.hex(),
        },
        "message": {
            "owner": "0x" + owner.address.hex(),
            "spender": "0x" + spender.hex(),
            "value": amount,
            "nonce": nonce,
            "deadline": deadline,
        },
    }
    signed = Account.sign_message(encode_typed_data(full_message=message), owner.secret)
    r, s = (value.to_bytes(32, "big") for value in (signed.r, signed.s))
    return (owner.address, spender, amount, deadline, signed.v, r, s)


def test_a_member_deposits_by_permit_without_sending_an_approval(world: World) -> None:
    member, escrow = world.members[0], world.contracts.escrow
    credit(world, "treasurer", "mint", member.address, 100)
    permit = permission(world, member, escrow.address, 100, nonce=0, deadline=world.time.now + 900)
    credit(world, world.strangers[0], "permit", *permit)
    assert world.contracts.credit.read("allowance", member.address, escrow.address) == 100
    before = world.balance(member.address)
    world.act(member, "deposit", member.address, 100)
    assert world.balance(member.address) == before + 100


def test_a_permit_works_once_in_time_and_for_its_signer_only(world: World) -> None:
    member, spender = world.members[0], world.strangers[0]
    deadline = world.time.now + 900
    permit = permission(world, member, spender.address, 100, nonce=0, deadline=deadline)
    world.at(deadline + 1)
    with refused("erc20: expired deadline"):
        credit(world, spender, "permit", *permit)
    world.at(deadline)
    with refused("erc20: invalid signature"):
        credit(world, spender, "permit", world.members[1].address, *permit[1:])
    credit(world, spender, "permit", *permit)
    permit_again = permission(world, member, spender.address, 100, nonce=0, deadline=deadline + 900)
    with refused("erc20: invalid signature"):
        credit(world, spender, "permit", *permit_again)
