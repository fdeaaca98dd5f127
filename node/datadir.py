"""The folder in which a node keeps everything: chain, store, and two small files."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from matching.errors import WattbookError
from node.private_files import write_private

_SECRET_BYTES = 32


class DataFolderError(WattbookError):
    """The data folder holds something that is not ours, or not readable."""

    code = "node.data_folder"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where this node's market is. Written once, after the market was opened."""

    chain_id: int
    exchange: bytes
    market: bytes
    first_slot: int
    design: str
    stepped: bool

    def encoded(self) -> str:
        """As JSON."""
        fields = {
            "chain_id": self.chain_id,
            "exchange": "0x" + self.exchange.hex(),
            "market": "0x" + self.market.hex(),
            "first_slot": self.first_slot,
            "design": self.design,
            "stepped": self.stepped,
        }
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def decoded(cls, text: str, source: str) -> "Deployment":
        """The inverse of `encoded`; `source` says where the text is from.

        Raises:
            DataFolderError: it cannot be understood.
        """
        try:
            fields = json.loads(text)
            return cls(
                chain_id=int(fields["chain_id"]),
                exchange=bytes.fromhex(fields["exchange"][2:]),
                market=bytes.fromhex(fields["market"][2:]),
                first_slot=int(fields["first_slot"]),
                design=str(fields["design"]),
                stepped=bool(fields["stepped"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataFolderError(
                f"{source} is damaged ({error}): restore it, or start with an empty folder"
            ) from error


class DataFolder:
    """One node's data folder; made if absent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def chain(self) -> Path:
        """Folder of the embedded chain."""
        return self.path / "chain"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the node, unless its store is elsewhere."""
        return self.path / "node.lock"

    @property
    def store_file(self) -> Path:
        """The store's database, unless it is elsewhere."""
        return self.path / "store.sqlite"

    @property
    def store_url(self) -> str:
        """The same as a URL."""
        return f"sqlite:///{self.store_file}"

    def deployment(self) -> Deployment | None:
        """The market's whereabouts, or None before it was opened.

        Raises:
            DataFolderError: the file cannot be understood.
        """
        path = self.path / "deployment.json"
        if not path.exists():
            return None
        return Deployment.decoded(path.read_text(encoding="utf-8"), str(path))

    def write_deployment(self, deployment: Deployment) -> None:
        """Remember where the market is."""
        self._write("deployment.json", deployment.encoded())

    def operator_api_key(self) -> str:
        """The secret that lets the operator act through the API; made at the first start."""
        path = self.path / "operator-api-key"
        if not path.exists():
            self._write(path.name, secrets.token_urlsafe(32))
        return path.read_text(encoding="utf-8")

    def statement_secret(self) -> bytes:
        """The Ed25519 key that signs statements for the issuer; made at the first start."""
        path = self.path / "statement-key"
        if not path.exists():
            self._write(path.name, secrets.token_hex(_SECRET_BYTES))
        secret = bytes.fromhex(path.read_text(encoding="utf-8"))
        if len(secret) != _SECRET_BYTES:
            raise DataFolderError(
                f"{path} has {len(secret)} bytes: must be {_SECRET_BYTES}; restore it, or remove it"
            )
        return secret

    def _write(self, name: str, text: str) -> None:
        write_private(self.path / name, text)
