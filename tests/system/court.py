"""A street whose settlements three of four validators must approve, and the validators' processes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from ledger.deployment import MarketTerms
from ledger.devchain import dev_accounts
from ledger.keys import Key
from matching.orders import Side
from node.cli.main import app
from node.store.records import SlotState
from node.validating.proposal import ProposalClient
from tests.system.demo import WATTBOOK
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT, Street, street

# Development accounts, so that they have money of the chain's own: they need it to hand their seats over.
VALIDATORS = sorted((Key(account.private_key) for account in dev_accounts()[30:34]), key=lambda key: key.address)


@dataclass(frozen=True)
class Court:
    """The street, and a folder for each validator."""

    street: Street
    folder: Path
    design: str

    def options(self, seat: int, url: str | None = None) -> list[str]:
        """Of `wattbook validate`."""
        folder = self.folder / f"validator-{seat}"
        folder.mkdir(exist_ok=True)
        (folder / "key").write_text(VALIDATORS[seat].secret.hex() + "\n")
        node = self.street.node
        options = {
            "--node": url or node.url,
            "--rpc": node.chain_url,
            "--exchange": f"0x{node.contracts.exchange.address.hex()}",
            "--key": folder / "key",
            "--data": folder,
            "--design": self.design,
        }
        return ["validate", *(str(part) for option in options.items() for part in option)]

    def look(self, seat: int, *, status: int = 0) -> list[dict[str, Any]]:
        """Let a validator judge once what is proposed."""
        result = CliRunner().invoke(app, [*self.options(seat), "--once", "--json"])
        assert result.exit_code == status, result.output
        verdicts: list[dict[str, Any]] = json.loads(result.stdout)
        return verdicts

    def said(self, seat: int) -> str:
        """The same, as people read it."""
        return CliRunner().invoke(app, [*self.options(seat), "--once"]).output

    def refusals(self, seat: int) -> list[dict[str, Any]]:
        """What a validator noted down of its refusals."""
        lines = (self.folder / f"validator-{seat}" / "refused.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @contextmanager
    def running(self, seat: int, url: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """A validator in a process of its own; killed in the end."""
        command = [WATTBOOK, *self.options(seat, url)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGKILL)

    def place_four(self, slot: int = SLOT) -> list[bytes]:
        """Two offers and two bids, of which the first bid is served whole and the last is not at all."""
        place = self.street.place
        return [
            place(SELLER_OF_SUN, Side.OFFER, 400, 100_000, slot=slot),
            place(SELLER_OF_STORED, Side.OFFER, 400, 140_000, slot=slot),
            place(BUYER, Side.BID, 500, 200_000, slot=slot),
            place(OTHER_BUYER, Side.BID, 500, 120_000, slot=slot),
        ]

    def close_gate(self, slot: int = SLOT) -> None:
        """The slot is committed, cleared and proposed; called again, it moves on if it can."""
        self.street.advance(max(slot - self.street.node.market.gate_lead_s, self.street.node.clock.now()))

    def state(self, slot: int = SLOT) -> SlotState:
        record = self.street.node.store.slot(slot)
        assert record is not None
        return record.state

    def wait_for_approvals(self, count: int, slot: int = SLOT) -> None:
        give_up_at = time.monotonic() + 120
        with ProposalClient(self.street.node.url) as client:
            while len(client.approvers(slot)) < count:
                assert time.monotonic() < give_up_at
                time.sleep(0.1)


@contextmanager
def court(folder: Path, design: str = "uniform", *, approvals: int = 3) -> Iterator[Court]:
    accounts = tuple(key.address for key in VALIDATORS)
    terms = MarketTerms(settle_within_s=1_800)
    with street(folder / "node", design, validators=accounts, approvals=approvals, terms=terms) as found:
        yield Court(found, folder, design)
