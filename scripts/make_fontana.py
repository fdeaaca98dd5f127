"""Make `simulation/data/fontana/fontana.csv.xz` from the wheel `citylearn==1.8.0`.

    python scripts/make_fontana.py [--wheel WHEEL] [--output FILE]

Without `--wheel` the wheel is fetched with `pip download`. The result is the same byte for byte on every run;
`simulation/data/fontana/README.md` describes it and every transformation made here.
"""

import csv
import io
import json
import lzma
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from wheel_data import make

REQUIREMENT = "citylearn==1.8.0"
WHEEL_SHA256 = "cde0cdf53ace908cba41c237335d91bc1434e54deaf6086047e4cf7589c0067b"
FOLDER = "citylearn/data/citylearn_challenge_2022_phase_all"
HOMES = 17
HOURS = 8_760
HOUR_S = 3_600
FIRST_LOCAL_HOUR = datetime.fromisoformat("2016-08-01T00:00")

START_AT = 1_470_034_800  # 2016-08-01 00:00 in Fontana (UTC-7)
WINTER_AT = 1_478_422_800  # 2016-11-06 09:00 UTC: clocks go back from UTC-7 to UTC-8
SUMMER_AT = 1_489_312_800  # 2017-03-12 10:00 UTC: clocks go forward again

OUTPUT = Path(__file__).parent.parent / "simulation/data/fontana/fontana.csv.xz"


def pack(archive: zipfile.ZipFile) -> bytes:
    """The compressed CSV made from this wheel."""
    nameplates_kw = read_nameplates(archive)
    homes = [read_home(archive, home, nameplates_kw[home]) for home in range(1, HOMES + 1)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    text.write("# pv_nameplate_w,")
    writer.writerow(int(nameplates_kw[home] * 1000) for home in range(1, HOMES + 1))
    names = [f"home-{home:02}" for home in range(1, HOMES + 1)]
    writer.writerow(
        ["start_at"] + [f"{name} {what}" for name in names for what in ("consumption_wh", "generation_wh")]
    )
    for hour, row in enumerate(source_rows()):
        writer.writerow([START_AT + hour * HOUR_S] + [value for home in homes for value in home[row]])
    return lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME)


def read_nameplates(archive: zipfile.ZipFile) -> dict[int, Decimal]:
    """Nominal PV power of each home, kW."""
    schema = json.loads(archive.read(f"{FOLDER}/schema.json"), parse_float=Decimal)
    buildings = schema["buildings"]
    return {
        home: Decimal(buildings[f"Building_{home}"]["pv"]["attributes"]["nominal_power"])
        for home in range(1, HOMES + 1)
    }


def read_home(archive: zipfile.ZipFile, home: int, nameplate_kw: Decimal) -> list[tuple[int, int]]:
    """Consumption and generation of every source row, Wh, rounded half to even."""
    with archive.open(f"{FOLDER}/Building_{home}.csv") as raw:
        rows = list(csv.DictReader(io.TextIOWrapper(raw, "utf-8")))
    if len(rows) != HOURS:
        sys.exit(f"home {home}: {len(rows)} rows: must be {HOURS}")
    for index, row in enumerate(rows):
        check_calendar(home, index, row)
    return [
        (
            to_wh(Decimal(row["Equipment Electric Power [kWh]"]) * 1000),
            to_wh(Decimal(row["Solar Generation [W/kW]"]) * nameplate_kw),
        )
        for row in rows
    ]


def check_calendar(home: int, index: int, row: dict[str, str]) -> None:
    """Stop unless row `index` is labelled as we read it: `index` hours of local clock time after the first.

    The source numbers hours 1 … 24 and counts hour 24, which starts at midnight, to the day before.
    """
    start = FIRST_LOCAL_HOUR + timedelta(hours=index)
    day = start if start.hour else start - timedelta(days=1)
    expected = (day.month, start.hour or 24, day.isoweekday())
    labels = (row["Month"], row["Hour"], row["Day Type"])
    if tuple(int(Decimal(label)) for label in labels) != expected:
        sys.exit(f"home {home}, row {index}: calendar is {labels}: expected {expected}")


def to_wh(value: Decimal) -> int:
    """The nearest whole Wh."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def source_rows() -> Iterator[int]:
    """For each hour of UTC from the first on, the source row that holds it.

    The source has 24 rows for every local day. So the row of 01:00 on the day the clocks go back stands for
    both hours of that name, and the row of 02:00 on the day they go forward for none.
    """
    for hour in range(HOURS):
        at = START_AT + hour * HOUR_S
        yield hour - 1 if WINTER_AT <= at < SUMMER_AT else hour


if __name__ == "__main__":
    make(REQUIREMENT, WHEEL_SHA256, OUTPUT, pack)
