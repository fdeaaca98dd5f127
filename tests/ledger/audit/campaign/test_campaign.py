"""Hundreds of histories of certificates, each damaged in one place: the audit finds every one, by its name."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ledger.audit.rules import RULES
from ledger.audit.run import audit
from tests.ledger.audit import origins
from tests.ledger.audit.campaign.kind import Kind
from tests.ledger.audit.campaign.kinds import KINDS
from tests.ledger.audit.edited import EditedChain, Recording
from tests.world import new_world

HISTORIES = 200
"""At least; the documentation says how many of which kind."""
SAMPLE = 20
CASES = [(kind, turn) for kind in KINDS for turn in range(kind.histories)]
SAMPLED = Random("a sample of the campaign").sample(CASES, SAMPLE)


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with new_world() as world:
        yield Recording(world, origins.tell(world))


def damaged(recording: Recording, kind: Kind, turn: int) -> EditedChain:
    chain = EditedChain(recording)
    kind.damage(chain, turn, Random(f"{kind.name}, history {turn}"))
    return chain


def rules_broken(chain: EditedChain) -> set[str]:
    exchange, evidence = chain.world.exchange.address, chain.evidence_files
    report = audit(chain, exchange, window_blocks=8, evidence=evidence)  # type: ignore[arg-type]
    return {finding.rule for finding in report.findings}


def name_of(value: object) -> str:
    return value.name if isinstance(value, Kind) else str(value)


def test_the_honest_history_breaks_no_rule(recording: Recording) -> None:
    assert rules_broken(EditedChain(recording)) == set()


@pytest.mark.parametrize(("kind", "turn"), SAMPLED, ids=name_of)
def test_a_sample_of_the_damaged_histories_is_found(recording: Recording, kind: Kind, turn: int) -> None:
    assert kind.rule in rules_broken(damaged(recording, kind, turn))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "turn"), CASES, ids=name_of)
def test_every_damaged_history_is_found(recording: Recording, kind: Kind, turn: int) -> None:
    assert kind.rule in rules_broken(damaged(recording, kind, turn))


def test_no_two_histories_are_damaged_alike(recording: Recording) -> None:
    prints = [damaged(recording, kind, turn).fingerprint for kind, turn in CASES]
    views = [kind for kind in KINDS if kind.rule.startswith("storage.")]
    alike = sum(kind.histories - 1 for kind in views)  # they differ in what views answer
    assert len(set(prints)) >= len(prints) - alike


def test_the_campaign_has_enough_histories_of_rules_that_there_are() -> None:
    assert len(CASES) >= HISTORIES
    assert {kind.rule for kind in KINDS} <= set(RULES)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_documentation_has_the_campaigns_table() -> None:
    page = (Path(__file__).parents[4] / "docs" / "audit.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| ([^|`]+) \| (\d+) \| `([a-z._]+)` \|$", page, re.MULTILINE)
    assert listed == [(kind.name, str(kind.histories), kind.rule) for kind in KINDS]
