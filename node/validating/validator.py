"""The validator: looks for proposed settlements, and approves those that it comes to itself."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import structlog

from ledger.deployment import Contracts
from ledger.keys import Key
from ledger.market import read_market
from ledger.validators import read_validators
from matching import uniform
from matching.errors import WattbookError
from node.client import ApiProblemError, UnexpectedAnswerError
from node.design import Design
from node.validating.checks import digest_to_sign
from node.validating.devices import RegisteredDevices
from node.validating.errors import RefusalError, ValidatorError, require
from node.validating.proposal import ProposalClient, StatedProposal
from node.validating.signed import SignedSlots

POLL_S = 2.0
"""How long a validator waits between two looks."""

# The node moved the slot on, or clears it again, while we looked: the next look will show.
_MOVED_ON = ("proposal.unknown", "proposal.changed", "approval.signature", "store.conflict")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one slot's proposal: approved, unless `code` and `reason` say why not."""

    slot: int
    digest: bytes | None
    code: str | None = None
    reason: str | None = None


class Refusals:
    """A file of JSON lines with every refusal, once while it stays the same."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._last: dict[int, Verdict] = {}

    def note(self, verdict: Verdict) -> None:
        """Write a refusal down, unless it is the slot's last one again."""
        if self._last.get(verdict.slot) == verdict:
            return
        self._last[verdict.slot] = verdict
        line = {
            "at": int(self._now()),
            "slot": verdict.slot,
            "digest": None if verdict.digest is None else f"0x{verdict.digest.hex()}",
            "code": verdict.code,
            "reason": verdict.reason,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Validator:
    """Validates the slots of one market for one of its validators. Use it from one thread."""

    def __init__(
        self,
        *,
        client: ProposalClient,
        contracts: Contracts,
        market: bytes,
        design: str | None,
        key: Key,
        signed: SignedSlots,
        refusals: Refusals,
    ) -> None:
        """Set up.

        Args:
            client: the way to the node, which is not trusted.
            contracts: the exchange's, on the validator's own endpoint.
            market: the market's id.
            design: how it clears; None for uniform.
            key: the validator's.
            signed: what it signed so far.
            refusals: where it notes why it did not.

        Raises:
            CallRevertedError: there is no such market.
            UnknownDesignError: there is no such design.
            ValidatorError: the key has no seat among the market's validators, or the design is not the market's.
        """
        self._client = client
        self._contracts = contracts
        self._market = market
        self._design = Design(design or uniform.DESIGN, RegisteredDevices(contracts, market))
        self._key = key
        self._signed = signed
        self._refusals = refusals
        if read_market(contracts, market).uniform_price != self._design.uniform_price:
            raise ValidatorError(f"the market does not clear by the design {self._design.name!r}: name its own")
        if key.address not in read_validators(contracts, market).accounts:
            raise ValidatorError(f"0x{key.address.hex()} is none of the market's validators")

    def look(self) -> list[Verdict]:
        """Judge every proposal that this validator has not approved yet.

        Raises:
            UnreachableError: the node does not answer.
            ApiProblemError: it refuses.
            UnexpectedAnswerError: it does not answer like one.
            ChainUnavailableError: the chain is out of reach.
        """
        verdicts = []
        for slot in self._client.cleared_slots():
            try:
                if self._key.address not in self._client.approvers(slot):
                    verdicts.append(self._judge(slot))
            except ApiProblemError as error:
                if error.code not in _MOVED_ON:
                    raise
        return verdicts

    def run(self, stop: Event) -> None:
        """Look again and again until told to stop."""
        logged: dict[int, Verdict] = {}
        while not stop.is_set():
            try:
                for verdict in self.look():
                    if logged.get(verdict.slot) != verdict:
                        _log(verdict)
                    logged[verdict.slot] = verdict
            except WattbookError as error:
                log.warning("cannot validate now", code=error.code, reason=str(error))
            stop.wait(POLL_S)

    def _judge(self, slot: int) -> Verdict:
        digest = None
        try:
            proposal = StatedProposal.parse(self._client.proposal(slot))
            digest = proposal.digest
            require(proposal.slot == slot, "malformed", f"asked for slot {slot}, got slot {proposal.slot}")
            # Roles change hands, so the terms are read anew.
            market = read_market(self._contracts, self._market)
            signature = self._signed.sign(slot, digest_to_sign(self._contracts, market, self._design, proposal))
        except (RefusalError, UnexpectedAnswerError) as error:
            verdict = Verdict(slot, digest, error.code, str(error))
            self._refusals.note(verdict)
            return verdict
        self._client.approve(slot, self._key.address, signature)
        return Verdict(slot, digest)


def _log(verdict: Verdict) -> None:
    digest = None if verdict.digest is None else f"0x{verdict.digest.hex()}"
    if verdict.code is None:
        log.info("approved", slot=verdict.slot, digest=digest)
    else:
        log.error("refused", slot=verdict.slot, digest=digest, code=verdict.code, reason=verdict.reason)
