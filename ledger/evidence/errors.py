"""Why evidence is refused: one class and one stable code for each reason; docs/evidence.md lists them."""

from matching.errors import WattbookError


class EvidenceError(WattbookError):
    """Evidence, or the way it was handed in, was not acceptable."""

    code = "evidence.error"


class InvalidKeyError(EvidenceError):
    """A public key is malformed, or not of the algorithm it is said to be, or keys follow in no order."""

    code = "evidence.key_malformed"


class InvalidEvidenceError(EvidenceError):
    """A field of a piece of evidence is outside its limits."""

    code = "evidence.invalid"


class ForeignDeviceError(EvidenceError):
    """Evidence of another device, market, chain or register than the one it is handed in for."""

    code = "evidence.device"


class SlotError(EvidenceError):
    """A slot does not start where slots start, or does not come after those that have evidence."""

    code = "evidence.slot"


class KeyNotValidError(EvidenceError):
    """The device had no valid key when the statement was made."""

    code = "evidence.key"


class SignatureError(EvidenceError):
    """A statement is not signed by the key that was valid for it."""

    code = "evidence.signature"


class RegisterError(EvidenceError):
    """A register runs backwards, or does not go on where it stopped, or is not the sum of the energy."""

    code = "evidence.register"


class SequenceError(EvidenceError):
    """A statement is missing or repeated, and no substitute values cover what is missing."""

    code = "evidence.sequence"


class ClockError(EvidenceError):
    """The meter's clock was not synchronised, so that nobody knows which slot it metered."""

    code = "evidence.clock"


class NameplateError(EvidenceError):
    """More energy than the device can generate, or its connection carry, in a slot."""

    code = "evidence.nameplate"


class SubstituteError(EvidenceError):
    """A substitute value without method, reason, the authority's signature, or readings to compute it from."""

    code = "evidence.substitute"


class MalformedMessageError(EvidenceError):
    """An OCMF message whose sections, JSON or size are not as the format says."""

    code = "ocmf.malformed"


class MessageFieldError(EvidenceError):
    """A field of an OCMF message that is missing, or outside its limits.

    Attributes:
        field: the field's key, such as `RD[0].TM`.
    """

    code = "ocmf.field"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"OCMF field '{field}' is {_short(value)}: {limit}")
        self.field = field


class UnsupportedAlgorithmError(EvidenceError):
    """An OCMF message signed, or its signature written, in a way that is not supported."""

    code = "ocmf.algorithm"


class UnusableReadingError(EvidenceError):
    """The meter itself says that a reading of an OCMF message is not to be used."""

    code = "ocmf.status"


class SpanError(EvidenceError):
    """Energy was counted across the end of a slot, and no reading says how much of it on either side."""

    code = "ocmf.span"


class DuplicateLeafError(EvidenceError):
    """Two pieces of evidence of one device's day are of the same slot."""

    code = "tree.duplicate"


class ForeignLeafError(EvidenceError):
    """Evidence that does not belong to the device and day of a tree."""

    code = "tree.foreign"


class EncodingError(EvidenceError):
    """A file is not UTF-8."""

    code = "file.encoding"


class EmptyFileError(EvidenceError):
    """A file has no rows."""

    code = "file.empty"


class ColumnsError(EvidenceError):
    """A file's columns are missing, repeated, or of no kind of row."""

    code = "file.columns"


class MalformedRowError(EvidenceError):
    """A row that cannot be read: its text, its number of fields, or a field."""

    code = "row.malformed"


class UnknownDeviceError(EvidenceError):
    """A row of a device that nobody registered."""

    code = "row.device"


class UnsignedRowError(EvidenceError):
    """A value that no meter signed, and no authority either."""

    code = "row.unsigned"


class ConflictingRowError(EvidenceError):
    """A row that says something else of a slot than the evidence that it has."""

    code = "row.conflict"


_SHOWN = 80


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
