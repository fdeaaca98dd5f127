"""What an audit reports."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that the history breaks.

    Attributes:
        rule: stable name of the rule, e.g. `"settle.signature"`; see `ledger.audit.rules`.
        where: block, slot, order, account or certificate concerned, in words.
        expected: what the rule asks for.
        found: what is there.
    """

    rule: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: expected {self.expected}, found {self.found}"


@dataclass
class Findings:
    """Findings as they are made. `check` is what every rule goes through, so that checks can be counted too."""

    found: list[Finding] = field(default_factory=list)
    checks: int = 0

    def check(self, rule: str, where: str, *, expected: Any, found: Any) -> bool:
        """Note a finding unless both are equal; returns whether they are."""
        self.checks += 1
        if expected != found:
            self.found.append(Finding(rule, where, _text(expected), _text(found)))
        return bool(expected == found)

    def require(self, rule: str, where: str, holds: bool, *, expected: str, found: Any) -> bool:
        """Note a finding unless the condition holds; returns whether it does."""
        self.checks += 1
        if not holds:
            self.found.append(Finding(rule, where, expected, _text(found)))
        return holds

    def copy(self) -> "Findings":
        """The findings so far, to go on from without changing these."""
        return Findings(list(self.found), self.checks)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value)
