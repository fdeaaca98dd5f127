"""Every hash that anybody signs, against eth_account's own encoder and against the contract."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.batches import FilledOrder
from ledger.eip712 import (
    CANCELLATION_FIELDS,
    FOLLOWING_FIELDS,
    ORDER_FIELDS,
    RECEIPT_FIELDS,
    STATEMENT_KEY_FIELDS,
    Domain,
    Receipt,
    cancellation_hash,
    following_hash,
    order_hash,
    order_signer,
    receipt_hash,
    sign_order,
    statement_key_hash,
)
from ledger.keys import InvalidSignatureError, Key
from matching.orders import MAX_TIME, Order, Side
from tests.ledger.orders import DOMAIN, any_order, domains, keys, orders, whole
from tests.world import ONE_CREDIT, SLOT, World, one_world_for_a_test

hashes = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)

# The most that a position holds, and what it costs at most.
MOST_WH = 2**23 - 1
MOST_NANO = 2**55


def eth_account_hash(message: dict[str, Any]) -> bytes:
    signable = encode_typed_data(full_message=message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def typed_message(
    domain: Domain, name: str, fields: tuple[tuple[str, str], ...], values: dict[str, Any]
) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            name: [{"name": field, "type": kind} for field, kind in fields],
        },
        "primaryType": name,
        "domain": domain.typed_data(),
        "message": values,
    }


def typed_order(domain: Domain, order: Order) -> dict[str, Any]:
    values = {
        "account": "0x" + order.account.hex(),
        "market": "0x" + order.market.hex(),
        "slot": order.slot,
        "side": int(order.side),
        "price": order.price,
        "quantity": order.quantity_wh,
        "certificates": int(order.certificates),
        "epoch": order.epoch,
        "expiry": order.expires_at,
        "salt": order.salt,
    }
    return typed_message(domain, "Order", ORDER_FIELDS, values)


@given(domains, any_order)
def test_an_orders_hash_is_the_one_that_wallets_sign(domain: Domain, order: Order) -> None:
    assert order_hash(domain, order) == eth_account_hash(typed_order(domain, order))


@given(domains, keys, st.data())
def test_a_signed_order_recovers_to_its_account_in_eth_account_too(
    domain: Domain, key: Key, data: st.DataObject
) -> None:
    order = data.draw(orders(st.just(key.address)))
    signed = sign_order(domain, order, key)
    assert order_signer(signed) == key.address
    signable = encode_typed_data(full_message=typed_order(domain, order))
    recovered = Account.recover_message(signable, signature=signed.signature)
    assert bytes.fromhex(recovered[2:]) == key.address
    assert bytes(Account.sign_message(signable, key.secret).signature) == signed.signature


receipts = st.builds(
    Receipt,
    order_hash=hashes,
    market=hashes,
    slot=whole(MAX_TIME),
    index=whole(2**64 - 1),
    received_at=whole(MAX_TIME),
)


@given(domains, receipts)
def test_a_receipts_hash_is_the_one_that_wallets_sign(domain: Domain, receipt: Receipt) -> None:
    values = {
        "order": receipt.order_hash,
        "market": receipt.market,
        "slot": receipt.slot,
        "index": receipt.index,
        "receivedAt": receipt.received_at,
    }
    expected = eth_account_hash(typed_message(domain, "Receipt", RECEIPT_FIELDS, values))
    assert receipt_hash(domain, receipt) == expected


@given(domains, addresses, hashes)
def test_a_cancellations_hash_is_the_one_that_wallets_sign(domain: Domain, account: bytes, order: bytes) -> None:
    values = {"account": "0x" + account.hex(), "order": order}
    expected = eth_account_hash(typed_message(domain, "Cancellation", CANCELLATION_FIELDS, values))
    assert cancellation_hash(domain, account, order) == expected


@given(domains, addresses, st.integers(0, 2**64 - 1))
def test_the_hash_of_a_wish_to_follow_is_the_one_that_wallets_sign(
    domain: Domain, account: bytes, until: int
) -> None:
    message = typed_message(
        domain, "Following", FOLLOWING_FIELDS, {"account": "0x" + account.hex(), "until": until}
    )
    assert following_hash(domain, account, until) == eth_account_hash(message)


@given(domains, hashes)
def test_a_statement_keys_hash_is_the_one_that_wallets_sign(domain: Domain, public_key: bytes) -> None:
    message = typed_message(domain, "StatementKey", STATEMENT_KEY_FIELDS, {"key": public_key})
    assert statement_key_hash(domain, public_key) == eth_account_hash(message)


@given(domains, domains, any_order)
def test_an_order_has_another_hash_in_another_domain(first: Domain, second: Domain, order: Order) -> None:
    assert (order_hash(first, order) == order_hash(second, order)) == (first == second)


@given(any_order, any_order)
def test_two_orders_have_two_hashes(first: Order, second: Order) -> None:
    assert (order_hash(DOMAIN, first) == order_hash(DOMAIN, second)) == (first == second)


def test_an_order_is_signed_with_its_accounts_key_only() -> None:
    order = Order(account=b"\x01" * 20, market=bytes(32), slot=0, side=Side.BID, price=0, quantity_wh=1)
    with pytest.raises(ValueError, match="the key controls 0x"):
        sign_order(DOMAIN, order, Key(b"\x02" * 32))


def test_the_signer_of_a_broken_signature_is_not_guessed(world: World) -> None:
    with pytest.raises(InvalidSignatureError):
        order_signer(replace(world.bid(0, 1, 1), signature=bytes(65)))


def test_the_domain_is_the_one_that_the_exchange_names(world: World) -> None:
    _, name, version, chain_id, address, *_ = world.exchange.read("eip712Domain")
    typed = world.domain.typed_data()
    assert (name, version, chain_id) == (typed["name"], typed["version"], typed["chainId"])
    assert "0x" + address.hex() == typed["verifyingContract"]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_contract_recovers_the_account_from_any_signed_order(built_world: World, data: st.DataObject) -> None:
    with one_world_for_a_test(built_world) as world:
        world.commit()
        world.fund(world.members[0].address, MOST_NANO)
        drawn = data.draw(orders(st.just(world.members[0].address)))
        soon = max(drawn.expires_at, world.time.now + 60)
        quantity_wh = min(drawn.quantity_wh, MOST_WH)
        order = replace(drawn, market=world.market, slot=SLOT, epoch=0, expires_at=soon, quantity_wh=quantity_wh)
        signed = sign_order(world.domain, order, world.members[0])
        make = world.offer if order.side == 0 else world.bid
        if order.side == 1:
            world.fund(world.members[1].address, MOST_NANO)
        counterpart = make(1, order.quantity_wh, order.price)
        fills = [FilledOrder(each, order.quantity_wh) for each in (signed, counterpart)]
        world.settle(fills, price=order.price)
        position = world.exchange.read("position_of", order.account, order.slot)
        assert position == (-1 if order.side else 1) * order.quantity_wh
        change = world.balance(order.account) - 1_000 * ONE_CREDIT - MOST_NANO
        assert change == -position * order.price
