"""Why a validator does not approve."""

from matching.errors import WattbookError


class RefusalError(WattbookError):
    """A proposed settlement is not what the chain and the market's design say it should be.

    Attributes:
        code: which check failed: `refused.` and its name.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.code = f"refused.{check}"


class ValidatorError(WattbookError):
    """The validator cannot do its work: it has no seat, its records are not its own, or are in use."""

    code = "validator.error"


def require(holds: bool, check: str, message: str) -> None:
    """Refuse unless a check holds.

    Raises:
        RefusalError: it does not.
    """
    if not holds:
        raise RefusalError(check, message)
