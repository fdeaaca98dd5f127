"""The development chain: eth-tester's engine, py-evm, on a database that lasts."""

from ledger.devchain.accounts import MNEMONIC, DevAccount, dev_accounts
from ledger.devchain.chain import DEFAULT_CHAIN_ID, DevChain

__all__ = ["DEFAULT_CHAIN_ID", "MNEMONIC", "DevAccount", "DevChain", "dev_accounts"]
