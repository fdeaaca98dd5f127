"""Development accounts: everyone knows their keys, so they must never hold anything of worth."""

from dataclasses import dataclass
from functools import cache

from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_keys.main import lazy_key_api as keys

from ledger.chain import Address

MNEMONIC = "test test test test test test test test test test test junk"
"""The mnemonic that Hardhat, Foundry and others use too, so their users meet familiar addresses."""

DERIVATION_PATH = "m/44'/60'/0'/0"
ACCOUNT_COUNT = 40


@dataclass(frozen=True, slots=True)
class DevAccount:
    """A development account; `private_key` is 32 bytes."""

    address: Address
    private_key: bytes


@cache
def dev_accounts(count: int = ACCOUNT_COUNT) -> tuple[DevAccount, ...]:
    """The first `count` accounts of the development mnemonic (BIP-39, BIP-32, BIP-44), always the same."""
    seed = seed_from_mnemonic(MNEMONIC, "")
    private_keys = [HDPath(f"{DERIVATION_PATH}/{index}").derive(seed) for index in range(count)]
    return tuple(DevAccount(keys.PrivateKey(key).public_key.to_canonical_address(), key) for key in private_keys)
