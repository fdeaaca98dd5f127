"""The keys of the parties that act on chain for a market."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from ledger.deployment import Roles
from ledger.devchain.accounts import dev_accounts
from ledger.keys import Key
from matching.errors import WattbookError

FIRST_MEMBER_ACCOUNT = 8
"""Development accounts before this one belong to the parties; members take them from here on."""


class PartiesError(WattbookError):
    """A file with the parties' keys is incomplete or malformed."""

    code = "node.parties"


@dataclass(frozen=True, slots=True)
class Parties:
    """One key each, so that nobody can do more than its role allows."""

    deployer: Key
    owner: Key
    treasurer: Key
    operator: Key
    meter_authority: Key
    issuer: Key
    registrar: Key
    utility: Key

    @property
    def roles(self) -> Roles:
        """The parties' addresses; the deployer has no role afterwards."""
        keys = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "deployer"}
        return Roles(**{name: key.address for name, key in keys.items()})


def development_parties() -> Parties:
    """The first development accounts, whose keys everybody knows."""
    accounts = dev_accounts()[:FIRST_MEMBER_ACCOUNT]
    return Parties(*(Key(account.private_key) for account in accounts))


def read_parties(path: Path) -> Parties:
    """Keys from a JSON file: an object from each party's name to its private key in hexadecimal.

    Raises:
        PartiesError: the file is not that.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        keys = {
            field.name: Key(bytes.fromhex(entries[field.name].removeprefix("0x"))) for field in fields(Parties)
        }
    except OSError as error:
        raise PartiesError(f"{path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise PartiesError(f"{path} has no key for {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        # The message of a decoding error may quote the secret.
        raise PartiesError(f"{path} must hold an object of hexadecimal private keys by party") from error
    for name, key in keys.items():
        if len(key.secret) != 32:
            raise PartiesError(f"{path}: the key of '{name}' has {len(key.secret)} bytes: must be 32")
    if len({key.secret for key in keys.values()}) < len(keys):
        raise PartiesError(
            f"{path}: two parties have the same key: each needs its own, for its powers and its nonces"
        )
    return Parties(**keys)
