"""The tree of a device's day: one root for what was metered, and a proof for each slot."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.evidence.errors import DuplicateLeafError, ForeignLeafError
from ledger.evidence.evidence import Evidence
from ledger.evidence.tree import LEAF_BYTES, DayTree, Proof, day_of, leaf, verify
from tests.ledger.evidence.makers import NOON, SLOT_S, STRANGER, measured, substitute

DAY = day_of(NOON)
EVIDENCE = [substitute(index, index) if index % 5 == 3 else measured(index, index, index) for index in range(48)]


def test_days_begin_at_midnight_utc() -> None:
    assert [day_of(slot) for slot in (0, 86_399, 86_400, 172_800)] == [0, 0, 1, 2]


def test_a_leaf_is_tagged_and_of_fixed_length() -> None:
    evidence = substitute(3, 77)
    assert leaf(evidence) == (
        b"wattbook.evidence/1"
        + (7).to_bytes(8, "big")
        + evidence.slot.to_bytes(8, "big")
        + (77).to_bytes(4, "big")
        + b"\x01"
        + keccak(keccak(evidence.statements[0].source))
    )
    assert len(leaf(evidence)) == LEAF_BYTES == 72


@pytest.mark.parametrize(
    "other",
    [
        replace(EVIDENCE[0], device=8),
        replace(EVIDENCE[0], slot=NOON + SLOT_S),
        replace(EVIDENCE[0], energy_wh=1),
        replace(EVIDENCE[0], basis=EVIDENCE[3].basis),
        measured(0, 0, 0, key=STRANGER),
    ],
)
def test_whatever_differs_changes_the_leaf(other: Evidence) -> None:
    assert leaf(other) != leaf(EVIDENCE[0])


def test_the_commitment_is_that_of_root_and_number_of_leaves() -> None:
    tree = DayTree(7, DAY, EVIDENCE)
    assert (tree.size, tree.root) == (48, merkle.root([leaf(item) for item in EVIDENCE]))
    assert tree.commitment == merkle.commitment(tree.root, 48)


def test_the_order_in_which_evidence_came_is_of_no_matter() -> None:
    assert DayTree(7, DAY, reversed(EVIDENCE)).root == DayTree(7, DAY, EVIDENCE).root


def test_a_day_without_evidence_has_the_empty_root() -> None:
    assert DayTree(7, DAY, []).root == merkle.EMPTY_ROOT


def test_a_slot_cannot_be_in_a_day_twice() -> None:
    for again in (EVIDENCE[4], replace(EVIDENCE[4], energy_wh=9)):
        with pytest.raises(DuplicateLeafError, match=str(EVIDENCE[4].slot)):
            DayTree(7, DAY, [*EVIDENCE, again])


@pytest.mark.parametrize(
    "foreign", [replace(EVIDENCE[0], device=8), replace(EVIDENCE[0], slot=(DAY + 1) * 86_400)]
)
def test_evidence_of_another_device_or_day_does_not_belong(foreign: Evidence) -> None:
    with pytest.raises(ForeignLeafError):
        DayTree(7, DAY, [*EVIDENCE[1:], foreign])


@given(st.lists(st.integers(0, 47), min_size=1, max_size=48, unique=True))
def test_every_slot_of_every_tree_is_proven_and_nothing_else(indices: list[int]) -> None:
    evidence = [EVIDENCE[index] for index in sorted(indices)]
    tree = DayTree(7, DAY, evidence)
    for item in evidence:
        proof = tree.prove(item)
        assert verify(item, proof, tree.commitment)
        assert not verify(replace(item, energy_wh=item.energy_wh + 1), proof, tree.commitment)
        assert not verify(item, replace(proof, size=proof.size + 1), tree.commitment)
        assert not verify(item, proof, merkle.commitment(tree.root, tree.size + 1))
    assert not verify(evidence[0], Proof(len(evidence), len(evidence), ()), tree.commitment)


@pytest.mark.parametrize(
    "missing", [measured(50, 1, 60), replace(EVIDENCE[0], energy_wh=1), replace(EVIDENCE[1], slot=NOON - 1)]
)
def test_what_is_not_in_the_tree_has_no_proof(missing: Evidence) -> None:
    with pytest.raises(ForeignLeafError):
        DayTree(7, DAY, EVIDENCE).prove(missing)
