"""The methods by which the server signs for the development accounts, whose keys everybody knows anyway."""

import threading
from collections.abc import Mapping, Sequence

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_utils.exceptions import ValidationError
from pydantic_core import from_json

from ledger.chain import Address
from ledger.devchain.accounts import DevAccount
from ledger.devchain.chain import DevChain
from ledger.devchain.rpc.errors import SERVER_ERROR, InvalidParamsError, RequestFailedError
from ledger.devchain.rpc.methods import PRIORITY_FEE_WEI, Method, raise_if_failed
from ledger.devchain.rpc.params import (
    Json,
    positional,
    read_address,
    read_call,
    read_data,
    read_field,
    read_object,
    read_quantity,
)
from ledger.hexcodec import to_data

Params = Sequence[Json]


class AccountMethods:
    """Telling of the development accounts and signing with their keys, by name in `table`."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._accounts = {account.address: account for account in chain.accounts}
        self._sending = threading.Lock()  # from finding a nonce to using it
        self.table: Mapping[str, Method] = {
            "eth_accounts": lambda _: [to_data(address) for address in self._accounts],
            "eth_sendTransaction": self._send_transaction,
            "eth_sign": lambda params: self._sign_message(params, account_at=0, message_at=1),
            "personal_sign": lambda params: self._sign_message(params, account_at=1, message_at=0),
            "eth_signTypedData_v4": self._sign_typed_data,
        }

    def _send_transaction(self, params: Params) -> Json:
        fields = read_object(positional(params, 0, "transaction"), "transaction")
        message = read_call(fields, "transaction")
        account = self._account(message.sender)
        gas = read_field(fields, "gas", read_quantity, None)
        with self._sending:
            if gas is None:
                outcome = self._chain.run_estimate(message)
                raise_if_failed(outcome)
                gas = outcome.gas_needed
            unsigned = {
                "chainId": self._chain.chain_id,
                "nonce": read_field(fields, "nonce", read_quantity, self._chain.nonce(message.sender)),
                "gas": gas,
                "to": message.to or b"",
                "value": message.value_wei,
                "data": message.data,
                **self._fees(fields),
            }
            signed = Account.sign_transaction(unsigned, account.private_key)
            return to_data(self._chain.send(bytes(signed.raw_transaction)))

    def _fees(self, fields: Mapping[str, Json]) -> dict[str, int]:
        gas_price_wei = read_field(fields, "gasPrice", read_quantity, None)
        if gas_price_wei is not None:
            return {"gasPrice": gas_price_wei}
        tip_wei = read_field(fields, "maxPriorityFeePerGas", read_quantity, PRIORITY_FEE_WEI)
        enough_wei = 2 * self._chain.next_base_fee_wei() + tip_wei
        max_fee_wei = read_field(fields, "maxFeePerGas", read_quantity, enough_wei)
        return {"maxFeePerGas": max_fee_wei, "maxPriorityFeePerGas": min(tip_wei, max_fee_wei)}

    def _sign_message(self, params: Params, *, account_at: int, message_at: int) -> Json:
        """EIP-191; the two methods differ in the order of their parameters."""
        account = self._account(read_address(positional(params, account_at, "address"), "address"))
        message = read_data(positional(params, message_at, "message"), "message")
        return _signature(account, encode_defunct(message))

    def _sign_typed_data(self, params: Params) -> Json:
        """EIP-712; the data comes as an object, or as a string that holds one."""
        account = self._account(read_address(positional(params, 0, "address"), "address"))
        data = positional(params, 1, "typed data")
        try:
            fields = from_json(data) if isinstance(data, str) else data
            message = encode_typed_data(full_message=read_object(fields, "typed data"))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise InvalidParamsError("typed data", f"{error!r:.200}") from error
        return _signature(account, message)

    def _account(self, address: Address) -> DevAccount:
        if address not in self._accounts:
            raise RequestFailedError(SERVER_ERROR, f"unknown account {to_data(address)}")
        return self._accounts[address]


def _signature(account: DevAccount, message: SignableMessage) -> str:
    return to_data(bytes(Account.sign_message(message, account.private_key).signature))
