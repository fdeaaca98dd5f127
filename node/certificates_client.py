"""The client's part that is about certificates, devices and statements."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger.audit.codec import decoded
from ledger.audit.evidence_files import EvidenceFiles, PublicKeys, write_evidence
from ledger.evidence.evidence import Evidence
from ledger.hexcodec import from_data, to_data
from ledger.transactions import sign
from matching.errors import WattbookError
from node.answers import CertificateAnswer, HoldingAnswer, Json, SentAnswer
from node.http_client import HttpClient

_PAUSE_S = 0.2
_WAIT_S = 120.0
_ALL = 2**31


class TransactionFailedError(WattbookError):
    """A member's transaction was mined and had no effect, or its nonce was taken."""

    code = "client.transaction_failed"


class WrongTransactionError(WattbookError):
    """What the node prepared is not what was asked for: it is not signed."""

    code = "client.wrong_transaction"


class CertificatesClient(HttpClient):
    """Certificates, devices, requests, coverage and statements over HTTP.

    What a member does with its certificates the node prepares, the member's key signs here, and the node sends.
    Fields are as the API documents them: bytes as hexadecimal text.
    """

    def certificates(self, *, limit: int = 100, **filters: int | str | None) -> list[CertificateAnswer]:
        """The latest certificates; filters as of `GET /v1/certificates`, e.g. `account`, `device`, `state`."""
        return self._list("/v1/certificates", CertificateAnswer.parse, limit, **filters)

    def certificate(self, certificate: str) -> Json:
        """One certificate with everything that happened to it."""
        return self._request("GET", f"/v1/certificates/{certificate}")

    def holdings(self, account: bytes | None = None) -> list[HoldingAnswer]:
        """What an account, by default the member's, holds; the oldest first."""
        params = {"account": to_data(self.account if account is None else account)}
        answer = self._request("GET", "/v1/certificates/holdings", params=params)
        return self._parsed(lambda fields: [HoldingAnswer.parse(item) for item in fields["items"]], answer)

    def prepare(self, action: str, **fields: Any) -> Json:
        """A member's action, for its key to sign: transfer, retire, retire_pairs, export or request."""
        body = {"account": to_data(self.account), **fields}
        return self._request("POST", f"/v1/certificates/{action}/prepare", json=body)

    def act(self, action: str, **fields: Any) -> tuple[Json, SentAnswer]:
        """Prepare, sign and send a member's action, and wait until it is confirmed.

        Returns:
            What was prepared, and the transaction.

        Raises:
            TransactionFailedError: it was mined without effect.
            WrongTransactionError: it was prepared for another contract or with value.
        """
        prepared = self.prepare(action, **fields)
        return prepared, self.send(prepared["transaction"])

    def send(self, unsigned: Json) -> SentAnswer:
        """Sign a prepared transaction with the member's key, hand it in, and wait until it is confirmed.

        Raises:
            TransactionFailedError: it was mined without effect, or is not mined in time.
            WrongTransactionError: it is for another contract, or carries money.
        """
        market = self._request("GET", "/v1/market")
        if unsigned["to"] not in (market["certificates"], market["devices"]) or unsigned["value"]:
            raise WrongTransactionError(f"the node asks to sign a transaction to {unsigned['to']}: not signed")
        fields = unsigned | {"to": from_data(unsigned["to"]), "data": from_data(unsigned["data"])}
        raw = sign(self._signer(), fields).raw
        sent = self._sent(self._request("POST", "/v1/transactions", json={"raw": to_data(raw)}))
        give_up_at = time.monotonic() + _WAIT_S
        while sent.state == "pending" and time.monotonic() < give_up_at:
            time.sleep(_PAUSE_S)
            sent = self.transaction(sent.hash)
        if sent.state != "confirmed":
            raise TransactionFailedError(f"transaction 0x{sent.hash.hex()} is {sent.state}: {sent.reason}")
        return sent

    def transaction(self, transaction_hash: bytes) -> SentAnswer:
        """What has become of a transaction that was handed in."""
        return self._sent(self._request("GET", f"/v1/transactions/{to_data(transaction_hash)}"))

    # The issuer's and the registrar's, with the operator's API key

    def issuer_act(self, act: str, *, api_key: str, **fields: Any) -> Json:
        """Let the issuer act: issue, withdraw, reissue or import."""
        return self._request("POST", f"/v1/certificates/{act}", json=fields, headers={"X-API-Key": api_key})

    def requests(self, *, open_only: bool = False, limit: int = 100) -> list[Json]:
        """The latest requests for certificates."""
        return self._list("/v1/requests", dict, limit, open_only="true" if open_only else None)

    def decide(self, number: int, *, approved: bool, reason: str, api_key: str) -> Json:
        """Approve or refuse a request."""
        body = {"approved": approved, "reason": reason}
        headers = {"X-API-Key": api_key}
        return self._request("POST", f"/v1/requests/{number}/decision", json=body, headers=headers)

    def devices(self, account: bytes | None = None) -> list[Json]:
        """All devices, or one account's."""
        owner = None if account is None else to_data(account)
        return self._list("/v1/devices", dict, _ALL, account=owner)

    def device_act(self, path: str, *, api_key: str, **fields: Any) -> Json:
        """Register a device (path empty), or change it: `/NUMBER/keys`, `/NUMBER/close`."""
        return self._request("POST", f"/v1/devices{path}", json=fields, headers={"X-API-Key": api_key})

    def import_readings(self, file: Path, form: str, *, api_key: str, device: int | None = None) -> list[Json]:
        """Hand in a file of readings: csv, jsonl or ocmf; returns a report for each row.

        Raises:
            OSError: the file cannot be read.
        """
        params = {"format": form} | ({} if device is None else {"device": str(device)})
        headers = {"X-API-Key": api_key}
        with file.open("rb") as content:
            return self._lines("/v1/readings/import", content, params=params, headers=headers)

    def export_evidence(self, folder: Path) -> int:
        """Write the evidence of all anchored days as `ledger.audit.evidence_files` reads it: how many pieces.

        Raises:
            OSError: the folder cannot be written.
        """
        keys = decoded(PublicKeys, self._request("GET", "/v1/evidence/keys"))
        written = 0

        def pieces() -> Iterator[Evidence]:
            nonlocal written
            for day in self._request("GET", "/v1/evidence/days")["items"]:
                for line in self._content(f"/v1/evidence/days/{day}").splitlines():
                    yield decoded(Evidence, json.loads(line))
                    written += 1

        write_evidence(folder, EvidenceFiles(pieces(), keys))
        return written

    # What follows from certificates

    def coverage(self, *, region: str | None = None, **params: Any) -> Json:
        """The 24/7 matching score; with a region, emissions too."""
        path = "/v1/coverage" if region is None else "/v1/carbon"
        wanted = {name: value for name, value in params.items() if value is not None}
        return self._request("GET", path, params=wanted | ({} if region is None else {"region": region}))

    def make_statement(self, **fields: Any) -> Json:
        """Have a statement made and signed; fields as of `POST /v1/statements`."""
        return self._request("POST", "/v1/statements", json=fields)

    def statement_file(self, digest: str, form: str) -> bytes:
        """A statement as a file: jws, pdf, csv or json."""
        return self._content(f"/v1/statements/{digest}", params={"format": form})

    def _sent(self, answer: Json) -> SentAnswer:
        return self._parsed(SentAnswer.parse, answer)
