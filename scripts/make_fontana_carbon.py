"""Make `ledger/coverage/data/fontana_carbon.csv.xz` from the wheel `citylearn==1.8.0`.

    python scripts/make_fontana_carbon.py [--wheel WHEEL] [--output FILE]

The hours are those of `make_fontana.py`, one for one, so that consumption and carbon intensity of an hour come
from the same row of the source. `ledger/coverage/data/README.md` describes the file.
"""

import io
import lzma
import sys
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from make_fontana import FOLDER, HOUR_S, HOURS, REQUIREMENT, START_AT, WHEEL_SHA256, source_rows
from wheel_data import make

OUTPUT = Path(__file__).parent.parent / "ledger/coverage/data/fontana_carbon.csv.xz"
HEADER = "kg_CO2/kWh"


def pack(archive: zipfile.ZipFile) -> bytes:
    """The compressed CSV made from this wheel."""
    header, *values = archive.read(f"{FOLDER}/carbon_intensity.csv").decode().split()
    if header != HEADER or len(values) != HOURS:
        sys.exit(f"carbon intensity is {len(values)} rows of {header}: must be {HOURS} of {HEADER}")
    text = io.StringIO()
    text.write("start_at,mg_per_wh\n")
    for hour, row in enumerate(source_rows()):
        mg_per_wh = (Decimal(values[row]) * 1000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        text.write(f"{START_AT + hour * HOUR_S},{mg_per_wh}\n")
    return lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    make(REQUIREMENT, WHEEL_SHA256, OUTPUT, pack)
