"""Audits in parts: a resumed one ends as one in one go, and goes on from no checkpoint that does not hold."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ledger.audit.checkpoint import CheckpointError
from ledger.audit.run import AuditReport, audit
from ledger.chain import Block
from ledger.deployment import Roles, deploy
from tests.ledger.audit.edited import EditedChain, Recording
from tests.ledger.audit.story import tell
from tests.world import ROLE_NAMES, World, new_world


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with new_world() as world:
        yield Recording(world, tell(world))


def run(
    chain: EditedChain, file: Path | None = None, *, until: int | None = None, window: int = 2_000
) -> AuditReport:
    exchange = chain.world.exchange.address
    return audit(chain, exchange, checkpoint=file, last_block=until, window_blocks=window)  # type: ignore[arg-type]


def outcome(report: AuditReport) -> object:
    return replace(report, resumed_from=None, notes=())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("is_honest", [True, False])
def test_a_resumed_audit_ends_as_one_in_one_go(
    recording: Recording, tmp_path: Path, seed: int, *, is_honest: bool
) -> None:
    random, file = Random(seed), tmp_path / "audit.json"
    chain = EditedChain(recording)
    if not is_honest:
        chain.edit("ClaimSingle", value=10**18)
        chain.call_of("Settled", 2, to=b"\x13" * 20)
        chain.edit("BondReleased", amount=1)
    whole = run(chain)
    first, head = whole.first_block, chain.head().number
    cuts = sorted(random.sample(range(first, head), 3))
    for cut in cuts:
        assert run(chain, file, until=cut, window=random.randrange(1, 40)).last_block == cut
    resumed = run(chain, file)
    assert resumed.resumed_from == cuts[-1]
    assert outcome(resumed) == outcome(whole)
    assert bool(whole.findings) is not is_honest
    # Nothing more has happened since.
    assert outcome(run(chain, file)) == outcome(whole)


class ReorganisedChain(EditedChain):
    """Blocks from one on have other hashes than when they were first looked at."""

    changed_from = 10**9

    def block(self, number: int) -> Block | None:
        found = super().block(number)
        return replace(found, hash=bytes(32)) if found and number >= self.changed_from else found


def test_after_a_reorganisation_the_audit_says_so_and_starts_from_what_still_holds(
    recording: Recording, tmp_path: Path
) -> None:
    chain, file = ReorganisedChain(recording), tmp_path / "audit.json"
    whole = run(chain)
    head = chain.head().number
    early = whole.first_block + 20
    assert head - early > 64
    for until in (early, head):
        run(chain, file, until=until)
    for changed_from, resumed_from in ((head, early), (early, None)):
        chain.changed_from = changed_from
        checkpoint = json.loads(file.read_text())
        for log in chain.logs_now:
            # The same transactions are in the new blocks.
            if log.block_number >= changed_from:
                chain.logs_now[chain.logs_now.index(log)] = replace(log, block_hash=bytes(32))
        report = run(chain, tmp_path / "audit.json")
        assert report.resumed_from == resumed_from
        assert "re-organised" in report.notes[0]
        assert outcome(report) == outcome(whole)
        file.write_text(json.dumps(checkpoint))


def test_a_checkpoint_can_be_read_by_people_and_is_not_believed_when_changed(
    recording: Recording, tmp_path: Path
) -> None:
    chain, file = EditedChain(recording), tmp_path / "audit.json"
    run(chain, file)
    content = json.loads(file.read_text())
    assert content["checkpoint"]["exchange"] == "0x" + chain.world.exchange.address.hex()
    assert content["checkpoint"]["block"] == chain.head().number
    content["checkpoint"]["checks"] += 1
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="checksum"):
        run(chain, file)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "another", "version": 1}'])
def test_anything_else_is_no_checkpoint(recording: Recording, tmp_path: Path, text: str) -> None:
    file = tmp_path / "audit.json"
    file.write_text(text)
    with pytest.raises(CheckpointError):
        run(EditedChain(recording), file)


def test_another_exchanges_checkpoint_is_refused(recording: Recording, tmp_path: Path) -> None:
    chain, file = EditedChain(recording), tmp_path / "audit.json"
    run(chain, file)
    with new_world() as other, pytest.raises(CheckpointError, match="is of exchange"):
        # Deployed by another key, it has another address.
        audit(other.chain, _moved(other), checkpoint=file)


def _moved(world: World) -> bytes:
    keys = world.keys
    roles = Roles(**{name: keys[name].address for name in ROLE_NAMES})
    return deploy(world.chain, keys["issuer"], roles).exchange.address
