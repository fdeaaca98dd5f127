"""Questions to the contracts' views, asked many at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ledger import chain as ports
from ledger.abi import Contract
from ledger.audit.findings import Findings
from ledger.chain import CallRevertedError, Chain

_QUESTIONS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Question:
    """A view to be asked, and what is done with its answer."""

    contract: Contract
    function: str
    arguments: tuple[object, ...]
    take: Callable[[Any], None]


def ask(chain: Chain, questions: Iterable[Question], block_number: int) -> None:
    """Ask many views on the state after a block; one that reverts, as it knows no such thing, answers None."""
    waiting = iter(questions)
    while batch := list(islice(waiting, _QUESTIONS_AT_ONCE)):
        for question, answer in zip(batch, _answers(chain, batch, block_number), strict=True):
            interface = question.contract.interface
            question.take(None if answer is None else interface.decode_result(question.function, answer))


def _answers(chain: Chain, batch: Sequence[Question], block_number: int) -> list[bytes | None]:
    requests = [
        (each.contract.address, each.contract.interface.call(each.function, *each.arguments)) for each in batch
    ]
    try:
        return list(ports.calls(chain, requests, block_number=block_number))
    except CallRevertedError:
        if len(batch) == 1:
            return [None]
        middle = len(batch) // 2
        halves = (batch[:middle], batch[middle:])
        return [answer for half in halves for answer in _answers(chain, half, block_number)]


class Questioner:
    """Compares what it is given with the contracts' storage after one block."""

    def __init__(self, chain: Chain, findings: Findings, block_number: int) -> None:
        self._chain = chain
        self.findings = findings
        self._block_number = block_number

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask them all; what differs becomes a finding."""
        ask(self._chain, questions, self._block_number)

    def question(
        self, rule: str, where: str, expected: object, contract: Contract, function: str, *arguments: object
    ) -> Question:
        """Whether a view's answer is the expected one."""

        def take(found: Any) -> None:
            self.findings.check(rule, where, expected=expected, found=found)

        return Question(contract, function, arguments, take)
