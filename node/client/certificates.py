"""What a client can do about certificates, devices and statements, described once."""

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ledger.hexcodec import from_data, to_data
from ledger.transactions import sign
from node.answers import CertificateAnswer, HoldingAnswer, Json, SentAnswer
from node.client.calls import Call, Pause, Request, operation
from node.client.described import Described, ask, checked, fetch, given, unexpected
from node.client.errors import TransactionFailedError, WrongTransactionError
from node.client.expected import expected_call

_PAUSE_S = 0.2
_WAIT_S = 120.0
_ALL = 2**31
# A file of 100,000 readings takes minutes to check.
_FILE_TIMEOUT_S = 3_600.0


class CertificateOperations(Described):
    """Certificates, devices, requests, coverage and statements.

    What a member does with its certificates the node prepares, the member's key signs here, and the node sends.
    Fields are as the API documents them: bytes as hexadecimal text.
    """

    @operation
    def certificates(self, /, *, limit: int = 100, **filters: int | str | None) -> Call[list[CertificateAnswer]]:
        """The latest certificates; filters as of `GET /v1/certificates`, e.g. `account`, `device`, `state`."""
        return (yield from self._list("/v1/certificates", CertificateAnswer.parse, limit, **filters))

    @operation
    def certificate(self, certificate: str) -> Call[Json]:
        """One certificate with everything that happened to it."""
        return (yield from ask(Request("GET", f"/v1/certificates/{certificate}")))

    @operation
    def holdings(self, account: bytes | None = None) -> Call[list[HoldingAnswer]]:
        """What an account, by default the member's, holds; the oldest first."""
        return (
            yield from self._read(
                "/v1/certificates/holdings",
                lambda fields: [HoldingAnswer.parse(item) for item in fields["items"]],
                account=self.account if account is None else account,
            )
        )

    @operation
    def prepare(self, /, action: str, **fields: Any) -> Call[Json]:
        """A member's action, for its key to sign: transfer, retire, retire_pairs, export or request."""
        return (yield from self._prepare(action, fields))

    @operation
    def act(self, /, action: str, **fields: Any) -> Call[tuple[Json, SentAnswer]]:
        """Prepare, sign and send a member's action, and wait until it is confirmed.

        Returns:
            What was prepared, and the transaction.

        Raises:
            TransactionFailedError: it was mined without effect.
            WrongTransactionError: it does something else than was asked for; see `node.client.expected`.
        """
        prepared = yield from self._prepare(action, fields)
        contract, data = self._parsed(partial(expected_call, self.account, action, fields), prepared)
        unsigned = prepared["transaction"]
        if unsigned["data"] != to_data(data):
            raise WrongTransactionError(f"the node prepared something else than this {action}: not signed")
        return prepared, (yield from self._send(unsigned, (contract,)))

    @operation
    def send(self, unsigned: Json) -> Call[SentAnswer]:
        """Sign a prepared transaction with the member's key, hand it in, and wait until it is confirmed.

        Whoever calls this has seen to it that its calldata is what should be done; `act` does both.

        Raises:
            TransactionFailedError: it was mined without effect, or is not mined in time.
            WrongTransactionError: it is for another contract or chain, or carries money.
        """
        return (yield from self._send(unsigned, ("certificates", "devices")))

    @operation
    def transaction(self, transaction_hash: bytes) -> Call[SentAnswer]:
        """What has become of a transaction that was handed in."""
        return (yield from self._transaction(transaction_hash))

    def _prepare(self, action: str, fields: dict[str, Any]) -> Call[Json]:
        body = {"account": to_data(self.account), **fields}
        return (yield from ask(Request("POST", f"/v1/certificates/{action}/prepare", json=body)))

    def _send(self, unsigned: Json, contracts: Sequence[str]) -> Call[SentAnswer]:
        market = yield from ask(Request("GET", "/v1/market"))
        if (
            unsigned["to"] not in [market[name] for name in contracts]
            or unsigned["chainId"] != market["chain_id"]
            or unsigned["value"]
        ):
            raise WrongTransactionError(
                f"the node prepared a transaction to {unsigned['to']} on chain {unsigned['chainId']} with "
                f"{unsigned['value']} wei: must be to one of our contracts, {' or '.join(contracts)}, and without"
            )
        fields = unsigned | {"to": from_data(unsigned["to"]), "data": from_data(unsigned["data"])}
        raw = sign(self._signer(), fields).raw
        answer = yield from ask(Request("POST", "/v1/transactions", json={"raw": to_data(raw)}))
        sent = self._parsed(SentAnswer.parse, answer)
        give_up_at = time.monotonic() + _WAIT_S
        while sent.state == "pending" and time.monotonic() < give_up_at:
            yield Pause(_PAUSE_S)
            sent = yield from self._transaction(sent.hash)
        if sent.state != "confirmed":
            raise TransactionFailedError(f"transaction 0x{sent.hash.hex()} is {sent.state}: {sent.reason}")
        return sent

    def _transaction(self, transaction_hash: bytes) -> Call[SentAnswer]:
        return (yield from self._read(f"/v1/transactions/{to_data(transaction_hash)}", SentAnswer.parse))

    # The issuer's and the registrar's, with the operator's API key

    @operation
    def issuer_act(self, /, act: str, *, api_key: str, **fields: Any) -> Call[Json]:
        """Let the issuer act: issue, withdraw, reissue or import."""
        return (yield from _once(f"/v1/certificates/{act}", fields, api_key))

    @operation
    def requests(self, *, open_only: bool = False, limit: int = 100) -> Call[list[Json]]:
        """The latest requests for certificates."""
        return (yield from self._list("/v1/requests", dict, limit, open_only="true" if open_only else None))

    @operation
    def decide(self, number: int, *, approved: bool, reason: str, api_key: str) -> Call[Json]:
        """Approve or refuse a request."""
        body = {"approved": approved, "reason": reason}
        return (yield from _once(f"/v1/requests/{number}/decision", body, api_key))

    @operation
    def devices(self, account: bytes | None = None) -> Call[list[Json]]:
        """All devices, or one account's."""
        return (yield from self._list("/v1/devices", dict, _ALL, account=account))

    @operation
    def device_act(self, /, path: str, *, api_key: str, **fields: Any) -> Call[Json]:
        """Register a device (path empty), or change it: `/NUMBER/keys`, `/NUMBER/close`."""
        return (yield from _once(f"/v1/devices{path}", fields, api_key))

    @operation
    def import_readings(
        self, file: Path, form: str, *, api_key: str, device: int | None = None
    ) -> Call[list[Json]]:
        """Hand in a file of readings, once: csv, jsonl or ocmf; returns a report for each row.

        Raises:
            OSError: the file cannot be read.
            UnreachableError: no answer, or not all of it; what was taken stays taken, and may be sent again.
        """
        params = given({"format": form, "device": None if device is None else str(device)})
        with file.open("rb") as content:
            response = yield from fetch(
                Request(
                    "POST",
                    "/v1/readings/import",
                    params=params,
                    headers={"X-API-Key": api_key},
                    content=content,
                    is_repeatable=False,
                    timeout_s=_FILE_TIMEOUT_S,
                )
            )
        if response.is_error:
            checked(response)
        try:
            return [json.loads(line) for line in response.text.splitlines()]
        except ValueError as error:
            raise unexpected(response) from error

    # What meters signed

    @operation
    def evidence_keys(self) -> Call[Json]:
        """The public keys that evidence is checked with."""
        return (yield from ask(Request("GET", "/v1/evidence/keys")))

    @operation
    def evidence_days(self) -> Call[list[int]]:
        """The days, as Unix days, whose evidence is anchored."""
        return (yield from self._read("/v1/evidence/days", lambda fields: list(fields["items"])))

    @operation
    def evidence(self, day: int) -> Call[bytes]:
        """A day's evidence, one piece of JSON a line."""
        return (yield from _content(f"/v1/evidence/days/{day}", {}))

    # What follows from certificates

    @operation
    def coverage(self, /, *, region: str | None = None, **params: Any) -> Call[Json]:
        """The 24/7 matching score; with a region, emissions too."""
        path = "/v1/coverage" if region is None else "/v1/carbon"
        return (yield from ask(Request("GET", path, params=given(params | {"region": region}))))

    @operation
    def make_statement(self, /, **fields: Any) -> Call[Json]:
        """Have a statement made and signed; fields as of `POST /v1/statements`."""
        return (yield from ask(Request("POST", "/v1/statements", json=fields, is_repeatable=False)))

    @operation
    def statement_file(self, digest: str, form: str) -> Call[bytes]:
        """A statement as a file: jws, pdf, csv or json."""
        return (yield from _content(f"/v1/statements/{digest}", {"format": form}))


def _once(path: str, body: Json, api_key: str) -> Call[Json]:
    """Something that an operator does and a node does again if it is asked again."""
    return (yield from ask(Request("POST", path, json=body, headers={"X-API-Key": api_key}, is_repeatable=False)))


def _content(path: str, params: dict[str, str]) -> Call[bytes]:
    """What is answered with something else than JSON."""
    response = yield from fetch(Request("GET", path, params=params))
    if response.is_error:
        checked(response)
    return response.content
