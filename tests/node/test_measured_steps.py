from dataclasses import replace

import pytest

from ledger.chain import CallRevertedError
from node.measured_steps import MeasuredStepper
from node.metrics import Metrics
from tests.ledger.journal import MemoryJournal
from tests.ledger.steps import committing
from tests.node.test_metrics import told
from tests.world import SLOT, World


def test_a_step_is_counted_once_with_the_gas_that_its_block_says(world: World) -> None:
    world.close_gate()
    metrics, journal = Metrics(), MemoryJournal()
    stepper, step = MeasuredStepper(world.chain, journal, metrics), committing(world, SLOT)
    for _ in range(2):
        stepper.run(step)
    found, (record,) = told(metrics), journal.attempts(SLOT, "commit")
    assert found["wattbook_step_seconds_count", "commit"] == 1
    assert found["wattbook_step_gas_sum", "commit"] == record.gas_used
    assert found["wattbook_last_step_block",] == world.chain.head().number


def test_a_step_that_is_refused_is_a_failure_with_its_code(world: World) -> None:
    world.close_gate()
    metrics = Metrics()
    stranger = replace(committing(world, SLOT), name="commit-3", key=world.strangers[0])
    with pytest.raises(CallRevertedError):
        MeasuredStepper(world.chain, MemoryJournal(), metrics).run(stranger)
    found = told(metrics)
    assert found["wattbook_step_failures_total", "chain.reverted", "commit"] == 1
    assert ("wattbook_step_seconds_count", "commit") not in found
