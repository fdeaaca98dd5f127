"""An OCMF meter, and what it says. For tests only."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.evidence.evidence import Context, Register
from ledger.evidence.keys import KeyAlgorithm, MeterKey

OCMF_KEY = ec.derive_private_key(7, ec.SECP256R1())
_PUBLIC = OCMF_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
OCMF_METER_KEY = MeterKey(KeyAlgorithm.SECP256R1, _PUBLIC)
REGISTER = Register("G1", "M1", "1-0:2.8.0", Context.FISCAL)


def ocmf(page: int, at: int, kwh: str) -> bytes:
    """A message with one reading of the register."""
    time = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S,000+0000 S")
    row = f'{{"TM":"{time}","RV":{kwh},"RI":"{REGISTER.obis}","RU":"kWh","ST":"G"}}'
    payload = f'{{"FV":"1.0","GS":"G1","MS":"M1","PG":"F{page}","RD":[{row}]}}'.encode()
    signature = OCMF_KEY.sign(payload, ec.ECDSA(hashes.SHA256())).hex()
    return b"OCMF|" + payload + f'|{{"SA":"ECDSA-secp256r1-SHA256","SD":"{signature}"}}'.encode()
