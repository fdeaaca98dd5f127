"""Someone with a key who sends transactions to a chain."""

from typing import Any

from eth_account import Account

from ledger.chain import Address, Chain, Hash, Receipt
from ledger.devchain import DevAccount
from tests.chains import mined
from tests.ledger.chain import contract

GAS = 1_000_000
MAX_FEE_WEI = 10**10


class Actor:
    def __init__(self, chain: Chain, account: DevAccount) -> None:
        self.chain = chain
        self.address = account.address
        self._private_key = account.private_key

    def sign(self, to: Address | None, data: bytes = b"", **overrides: Any) -> bytes:
        fields = {
            "chainId": self.chain.chain_id,
            "nonce": overrides["nonce"] if "nonce" in overrides else self.chain.nonce(self.address),
            "gas": GAS,
            "to": to or b"",
            "value": 0,
            "data": data,
            "maxFeePerGas": MAX_FEE_WEI,
            "maxPriorityFeePerGas": 1,
        } | overrides
        if "gasPrice" in fields:
            del fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
        return bytes(Account.sign_transaction(fields, self._private_key).raw_transaction)

    def send(self, to: Address | None, data: bytes = b"", **overrides: Any) -> Hash:
        return self.transact(to, data, **overrides).transaction_hash

    def transact(self, to: Address | None, data: bytes = b"", **overrides: Any) -> Receipt:
        return self.broadcast(self.sign(to, data, **overrides))

    def broadcast(self, raw: bytes) -> Receipt:
        return mined(self.chain, self.chain.send(raw))

    def deploy(self) -> Address:
        address = self.transact(None, contract.bytecode()).contract_address
        assert address is not None
        return address
