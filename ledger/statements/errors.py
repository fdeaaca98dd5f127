"""What can be wrong with a statement, or with what it is to be made from."""

from matching.errors import WattbookError


class InvalidStatementError(WattbookError):
    """A statement, or a part of one, is not well formed.

    Attributes:
        field: the path of what is wrong, such as `statement.scope.first_slot`.
    """

    code = "statement.invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field


class OtherFormatError(InvalidStatementError):
    """A statement is well signed, in the format of another version: what it says cannot be told here."""


class NoStatementError(WattbookError):
    """A file carries no signed statement that could be checked."""

    code = "statement.none"


class StatementSignatureError(WattbookError):
    """A statement's signature, or the issuer's endorsement of the key that made it, does not hold."""

    code = "statement.signature"


class CannotStateError(WattbookError):
    """The chain does not bear out what was to be stated, or it is more than one statement can hold."""

    code = "statement.impossible"
