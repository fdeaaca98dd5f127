"""Evidence from the compact format: `matching.readings`, one Ed25519-signed reading for each slot."""

from ledger.evidence.errors import ForeignDeviceError
from ledger.evidence.evidence import MWH_PER_WH, Count, DeviceTerms, Evidence, Statement
from ledger.evidence.keys import Digest, KeyAlgorithm
from matching.readings import SignedReading


def of_reading(signed: SignedReading, terms: DeviceTerms) -> Evidence:
    """The evidence that a compact reading is. Its source is its 94 signing bytes and the 64 of its signature.

    The format says nothing of the clock: a meter names the slot itself, and must sign none while its clock is not
    synchronised.

    Raises:
        ForeignDeviceError: it is of another chain, market or device, or the device's meter speaks OCMF.
    """
    reading = signed.reading
    for name in ("chain_id", "market", "device"):
        if getattr(reading, name) != getattr(terms, name):
            raise ForeignDeviceError(
                f"reading field '{name}' is {getattr(reading, name)!r}: must be {getattr(terms, name)!r}"
            )
    if terms.register is not None:
        raise ForeignDeviceError(f"device {terms.device} has an OCMF meter: cannot have a compact reading")
    message = reading.signing_bytes()
    statement = Statement(
        message=message,
        algorithm=KeyAlgorithm.ED25519,
        digest=Digest.SHA256,
        made_at=reading.slot,
        signature=signed.signature,
        source=message + signed.signature,
    )
    count = Count(
        opening_mwh=(reading.register_wh - reading.energy_wh) * MWH_PER_WH,
        register_mwh=reading.register_wh * MWH_PER_WH,
        first_sequence=reading.sequence,
        sequence=reading.sequence,
    )
    return Evidence(reading.device, reading.slot, reading.energy_wh, count, (statement,))
