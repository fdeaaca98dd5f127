"""The files that statements travel in: the signed statement by itself, or a PDF with it attached."""

import re
from dataclasses import dataclass
from enum import StrEnum

from ledger.statements.errors import InvalidStatementError, NoStatementError
from ledger.statements.pdf import PRODUCER, to_pdf
from ledger.statements.signing import MAX_TOKEN_BYTES, SignedStatement, opened

MAX_FILE_BYTES = 2 * MAX_TOKEN_BYTES

_PDF_START = b"%PDF-"
# Few of a signed statement's bytes can be altered into these; other files are full of them.
_FOREIGN = re.compile(rb"[^\w.-]", re.ASCII)
_MOST_FOREIGN = 16
_ATTACHED = re.compile(rb"stream\n([\w-]{1,2000}\.[\w-]+\.[\w-]{1,200})\nendstream", re.ASCII)


class Pages(StrEnum):
    """What the pages around a statement are worth."""

    NONE = "none"
    """There are none: the file is the signed statement itself."""
    SAME = "same"
    """They are, to the byte, what the statement is rendered to."""
    ALTERED = "altered"
    """They claim to be made as here, and are not what the statement is rendered to."""
    UNKNOWN = "unknown"
    """They were made, or saved again, by something else, so that they cannot be compared."""


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement whose signature holds, and the pages it came in."""

    signed: SignedStatement
    pages: Pages


def read(data: bytes) -> StatementFile:
    """The statement in a file.

    Raises:
        NoStatementError: a PDF has none attached, or not as it was made; or it is another kind of file.
        InvalidStatementError: it is not well formed.
        StatementSignatureError: a signature does not hold.
    """
    if len(data) > MAX_FILE_BYTES:
        raise InvalidStatementError("file", f"has {len(data)} bytes: at most {MAX_FILE_BYTES}")
    if not data.startswith(_PDF_START):
        if len(_FOREIGN.findall(data)) > _MOST_FOREIGN:
            raise NoStatementError(
                "this is neither a signed statement (.jws) nor a PDF with one; CSV and JSON are not signed"
            )
        return StatementFile(opened(data), Pages.NONE)
    attached = _ATTACHED.findall(data)
    if len(attached) != 1:
        raise NoStatementError(
            f"the PDF shows {len(attached)} signed statements: must be one, attached as it was made; "
            "if the PDF was saved anew, take the attachment out of it and check that"
        )
    signed = opened(attached[0])
    if to_pdf(signed) == data:
        return StatementFile(signed, Pages.SAME)
    return StatementFile(signed, Pages.ALTERED if PRODUCER.encode() in data else Pages.UNKNOWN)
