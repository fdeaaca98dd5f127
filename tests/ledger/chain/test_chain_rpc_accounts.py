"""Signing with the development accounts' keys, and who is not offered it."""

import json
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import to_data, to_quantity
from tests.ledger.chain.asgi import Caller, Client

NOBODY = "0x" + "99" * 20


def test_the_server_signs_for_development_accounts_only(rpc: Caller, devchain: DevChain) -> None:
    sender = to_data(devchain.accounts[3].address)
    sent = rpc("eth_sendTransaction", {"from": sender, "to": NOBODY, "value": "0x5"})
    assert rpc("eth_getTransactionReceipt", sent)["gasUsed"] == "0x5208"
    assert rpc("eth_getBalance", NOBODY, "latest") == "0x5"
    legacy = rpc("eth_sendTransaction", {"from": sender, "to": NOBODY, "gasPrice": to_quantity(10**10)})
    assert rpc("eth_getTransactionByHash", legacy)["type"] == "0x0"
    assert "unknown account" in rpc.error("eth_sendTransaction", {"from": NOBODY, "to": NOBODY})["message"]


def test_the_server_signs_messages_for_development_accounts_only(rpc: Caller, devchain: DevChain) -> None:
    signer = to_data(devchain.accounts[3].address)
    message = encode_defunct(b"hello")
    for signature in (rpc("eth_sign", signer, to_data(b"hello")), rpc("personal_sign", to_data(b"hello"), signer)):
        assert Account.recover_message(message, signature=signature).lower() == signer
    typed: dict[str, Any] = {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}],
            "Note": [{"name": "text", "type": "string"}],
        },
        "domain": {"name": "notes"},
        "primaryType": "Note",
        "message": {"text": "hello"},
    }
    for data in (typed, json.dumps(typed)):
        signature = rpc("eth_signTypedData_v4", signer, data)
        assert (
            Account.recover_message(encode_typed_data(full_message=typed), signature=signature).lower() == signer
        )
    assert "unknown account" in rpc.error("personal_sign", "0x", NOBODY)["message"]
    unsound: list[Any] = ["{", {"types": {}}, 5, typed | {"primaryType": "Other"}]
    for data in unsound:
        assert rpc.error("eth_signTypedData_v4", signer, data)["code"] == -32602


def test_what_suits_a_chain_of_ones_own_only_is_not_offered_to_the_public(devchain: DevChain) -> None:
    private = Caller(Client(create_app(devchain)))
    public = Caller(Client(create_app(devchain, private_methods=False)))
    sender = to_data(devchain.accounts[0].address)
    transfer = {"from": sender, "to": NOBODY, "value": "0x1"}
    assert public("eth_accounts") == []
    requests: list[tuple[str, list[Any]]] = [
        ("eth_sendTransaction", [transfer]),
        ("eth_sign", [sender, "0x"]),
        ("personal_sign", ["0x", sender]),
        ("eth_signTypedData_v4", [sender, {}]),
        ("evm_snapshot", []),
        ("evm_revert", ["0x1"]),
        ("evm_increaseTime", [1]),
        ("evm_setNextBlockTimestamp", [2**33]),
        ("evm_mine", []),
    ]
    for method, params in requests:
        assert public.error(method, *params)["code"] == -32601
    assert devchain.head().number == 0
    private("eth_sendTransaction", transfer)
    assert public("eth_getBalance", NOBODY) == "0x1"
