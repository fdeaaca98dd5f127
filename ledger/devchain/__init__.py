"""The development chain: eth-tester's engine, py-evm, on a database that lasts."""

from ledger.devchain.accounts import MNEMONIC, DevAccount, dev_accounts
from ledger.devchain.chain import DEFAULT_CHAIN_ID, DevChain
from ledger.devchain.tester import LastingBackend, connect

__all__ = [
    "DEFAULT_CHAIN_ID",
    "MNEMONIC",
    "DevAccount",
    "DevChain",
    "LastingBackend",
    "connect",
    "dev_accounts",
]
