"""What can be wrong with the figures that coverage is computed from."""

from matching.errors import WattbookError


class InvalidCoverageError(WattbookError):
    """An input does not fit the others or is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "coverage.invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"coverage field '{field}' {problem}")
        self.field = field


class BrokenCoverageError(WattbookError):
    """A result broke an invariant: a defect of this package, never of its inputs."""

    code = "coverage.broken"


class InvalidFactorsError(WattbookError):
    """A file of emission factors has a gap, an unknown unit, a value out of range or another defect."""

    code = "coverage.factors"


class UnknownFactorError(WattbookError):
    """No emission factor is known for what was asked."""

    code = "coverage.unknown_factor"
