"""Make `simulation/data/groene-mient/shapes.csv.xz` from the wheel `simbench==1.6.3`.

    python scripts/make_groene_mient.py [--wheel WHEEL] [--output FILE]

Without `--wheel` the wheel is fetched with `pip download`. The result is the same byte for byte on every run;
`simulation/data/groene-mient/README.md` describes it and every transformation made here.
"""

import csv
import io
import lzma
import sys
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from wheel_data import make

REQUIREMENT = "simbench==1.6.3"
WHEEL_SHA256 = "8b48bdab2445286a96649eb18bb09476d000a0e212fd57fdba83399df54af4de"
FOLDER = "simbench/networks/1-complete_data-mixed-all-0-sw"
LOADS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
GENERATION = ("PV2", "PV3", "PV4", "PV5", "PV6", "PV8")
ROWS = 366 * 96
PEAK = 10_000

NOTICE = (
    "# Contains information from SimBench, which is made available under the ODbL 1.0 "
    "(http://opendatacommons.org/licenses/odbl/1.0/); this derived file is, too\n"
)

OUTPUT = Path(__file__).parent.parent / "simulation/data/groene-mient/shapes.csv.xz"


def pack(archive: zipfile.ZipFile) -> bytes:
    """The compressed CSV made from this wheel."""
    loads = read(archive, "LoadProfile.csv", [f"{name}_pload" for name in LOADS])
    generation = read(archive, "RESProfile.csv", list(GENERATION))
    text = io.StringIO(NOTICE)
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*LOADS, *GENERATION])
    writer.writerows(zip(*loads, *generation, strict=True))
    return lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME)


def read(archive: zipfile.ZipFile, file: str, names: list[str]) -> list[list[int]]:
    """These columns of one of the source's files, in ten-thousandths, rounded half to even."""
    with archive.open(f"{FOLDER}/{file}") as raw:
        rows = list(csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8"), delimiter=";"))
    if len(rows) != ROWS:
        sys.exit(f"{file} has {len(rows)} rows: must have {ROWS}")
    one = Decimal(1)
    return [
        [int((Decimal(row[name]) * PEAK).quantize(one, rounding=ROUND_HALF_EVEN)) for row in rows]
        for name in names
    ]


if __name__ == "__main__":
    make(REQUIREMENT, WHEEL_SHA256, OUTPUT, pack)
