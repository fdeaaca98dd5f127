"""The parties' private keys at rest: one encrypted file each, in a folder of their own.

The files are Ethereum's "Web3 secret storage", version 3, with scrypt: wallets read and write the same.
One password opens them all. It and the keys are secrets: no message, and no error behind one, repeats them.
"""

import json
import secrets
from dataclasses import fields
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from ledger.keys import Key
from matching.errors import WattbookError
from node.parties import Parties
from node.private_files import read_private, require_own_folder, write_private

PARTIES = tuple(field.name for field in fields(Parties))

SCRYPT_N = 2**18
"""Cost of trying one password: about a second, and 256 MiB."""

_VERSION = 3
_KEY_BYTES = 32


class KeystoreError(WattbookError):
    """A keystore lacks a key, holds a damaged one, or the password is wrong."""

    code = "node.keystore"


class Keystore:
    """The folder of encrypted keys: `operator.json` is the operator's.

    Args:
        path: the folder; made, for its owner alone, when the first key is added.
        scrypt_n: what trying a password costs for keys that are added; a power of two.
    """

    def __init__(self, path: Path, *, scrypt_n: int = SCRYPT_N) -> None:
        self._path = path
        self._scrypt_n = scrypt_n

    def create(self, party: str, password: str) -> bytes:
        """Make a new key for a party, and return its address. Raises as `add` does."""
        while True:
            key = Key(secrets.token_bytes(_KEY_BYTES))
            try:
                key.address  # noqa: B018 -- one number in 2**128 is outside the curve's order
            except ValueError:
                continue
            self.add(party, key, password)
            return key.address

    def add(self, party: str, key: Key, password: str) -> None:
        """Encrypt a party's key and keep it.

        Raises:
            KeystoreError: it is no party, or has a key already; or the password is empty.
            ExposedFileError: others could put keys into the folder.
        """
        path = self._file(party)
        if not password:
            raise KeystoreError("the keystore's password is empty: must have at least one character")
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_own_folder(self._path)
        if path.exists():
            raise KeystoreError(f"{path} exists: move it away first, as its key would be lost")
        encrypted = Account.encrypt(key.secret, password, kdf="scrypt", iterations=self._scrypt_n)
        write_private(path, json.dumps(encrypted, indent=2) + "\n")

    def addresses(self) -> dict[str, bytes]:
        """Whose keys are here, as the files themselves say: no password is needed.

        Raises:
            KeystoreError: a file is damaged.
            ExposedFileError: others can read or change one.
        """
        return {party: self._address(party, self._read(party)) for party in PARTIES if self._file(party).exists()}

    def key(self, party: str, password: str) -> Key:
        """A party's key.

        Raises:
            KeystoreError: there is none, it is damaged, or the password is wrong.
            ExposedFileError: others can read or change it.
        """
        contents = self._read(party)
        address, path = self._address(party, contents), self._file(party)
        try:
            key = Key(bytes(Account.decrypt(contents, password)))
            actual = key.address
        except (KeyError, TypeError, AttributeError, NotImplementedError):
            # Their messages quote what they stumbled over.
            raise KeystoreError(f"{path} is damaged: restore it") from None
        except ValueError:
            raise KeystoreError(f"{path} does not open: the password is wrong, or the file damaged") from None
        if actual != address:
            raise KeystoreError(f"{path} holds another key than it says: restore it")
        return key

    def unlock(self, password: str) -> Parties:
        """All parties' keys; raises as `key` does, and if two are the same."""
        missing = [party for party in PARTIES if not self._file(party).exists()]
        if missing:
            raise KeystoreError(f"{self._path} has no key for {', '.join(missing)}: see 'wattbook keys'")
        require_own_folder(self._path)
        keys = {party: self.key(party, password) for party in PARTIES}
        if len({key.address for key in keys.values()}) < len(keys):
            raise KeystoreError(f"{self._path}: two parties have the same key: each needs its own")
        return Parties(**keys)

    def _file(self, party: str) -> Path:
        if party not in PARTIES:
            raise KeystoreError(f"party is {party!r}: must be one of {', '.join(PARTIES)}")
        return self._path / f"{party}.json"

    def _read(self, party: str) -> dict[str, Any]:
        path = self._file(party)
        try:
            contents = json.loads(read_private(path))
        except OSError as error:
            raise KeystoreError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError:
            raise KeystoreError(f"{path} is damaged: restore it") from None
        if not isinstance(contents, dict) or contents.get("version") != _VERSION:
            raise KeystoreError(f"{path} is no key of Web3 secret storage version {_VERSION}: restore it")
        return contents

    def _address(self, party: str, contents: dict[str, Any]) -> bytes:
        try:
            address = bytes.fromhex(str(contents["address"]).removeprefix("0x"))
        except (KeyError, ValueError):
            address = b""
        if len(address) != 20:
            raise KeystoreError(f"{self._file(party)} names no address: restore it")
        return address


def public_parties(addresses: dict[str, bytes]) -> dict[str, str]:
    """Addresses by party, to be shown to others: in EIP-55's mixed case, which catches slips of the pen."""
    return {party: to_checksum_address(address) for party, address in addresses.items()}
