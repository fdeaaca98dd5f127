"""Steps on chain, with how long they took and what they cost told to Prometheus."""

import time

from ledger.chain import Chain
from ledger.intents import IntentRecord, IntentStatus, Journal
from ledger.steps import Step, Stepper
from matching.errors import WattbookError
from node.metrics import Metrics


class MeasuredStepper(Stepper):
    """A stepper that measures."""

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        metrics: Metrics,
        *,
        confirmations: int = 0,
        max_fee_wei: int | None = None,
    ) -> None:
        super().__init__(chain, journal, confirmations=confirmations, max_fee_wei=max_fee_wei)
        self._attempts_of = journal.attempts
        self._metrics = metrics

    def run(self, step: Step) -> None:
        """As `Stepper.run`; a step that had happened before is not counted again."""
        before, began = self._confirmed(step), time.monotonic()
        name = step.name.partition("-")[0]  # whichever chunk it is
        try:
            super().run(step)
        except WattbookError as error:
            self._metrics.step_failed(name, error.code)
            raise
        after = self._confirmed(step)
        if after is not None and after != before:
            seconds = time.monotonic() - began
            self._metrics.step_done(name, seconds, gas=after.gas_used, block=after.block_number)

    def _confirmed(self, step: Step) -> IntentRecord | None:
        records = reversed(self._attempts_of(step.slot, step.name))
        return next((record for record in records if record.status is IntentStatus.CONFIRMED), None)
