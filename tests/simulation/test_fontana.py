import hashlib
import subprocess
import sys
from datetime import date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulation.community import UnknownDayError
from simulation.fontana import CLOCKS_BACK, CLOCKS_FORWARD, SUNNY_DAY, load_fontana

FILE_SHA256 = "361596f639eda28510868e703f3b4200151a09574a8709a4e68a7a19dba511ff"
SCRIPT = Path(__file__).parents[2] / "scripts/make_fontana.py"

FONTANA = load_fontana()
CONSUMPTION_WH = np.array([home.consumption_wh for home in FONTANA.homes])
GENERATION_WH = np.array([home.generation_wh for home in FONTANA.homes])


def shipped() -> bytes:
    return files("simulation").joinpath("data/fontana/fontana.csv.xz").read_bytes()


def test_the_shipped_file_is_the_recorded_one() -> None:
    assert hashlib.sha256(shipped()).hexdigest() == FILE_SHA256


@pytest.mark.slow
def test_the_script_makes_the_shipped_file_byte_for_byte(tmp_path: Path) -> None:
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path), "citylearn==1.8.0"]
    if subprocess.run(fetch, check=False, capture_output=True).returncode:
        pytest.skip("the wheel citylearn==1.8.0 cannot be downloaded here")
    (wheel,) = tmp_path.glob("*.whl")
    output = tmp_path / "made.csv.xz"
    subprocess.run([sys.executable, str(SCRIPT), "--wheel", str(wheel), "--output", str(output)], check=True)
    assert output.read_bytes() == shipped()


def test_the_script_refuses_another_wheel(tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"not the wheel")
    output = tmp_path / "made.csv.xz"
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--wheel", str(other), "--output", str(output)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "other.whl is not the wheel of citylearn==1.8.0" in run.stderr
    assert not output.exists()


def test_seventeen_homes_have_a_year_of_quarter_hours() -> None:
    assert [home.name for home in FONTANA.homes] == [f"home-{number:02}" for number in range(1, 18)]
    assert CONSUMPTION_WH.shape == GENERATION_WH.shape == (17, 35_040)
    assert CONSUMPTION_WH.dtype == GENERATION_WH.dtype == np.int64
    assert FONTANA.slots.shape == (35_040,)
    assert (np.diff(FONTANA.slots) == FONTANA.slot_s).all()
    assert (FONTANA.slots % FONTANA.slot_s == 0).all()


def test_the_years_totals_are_those_of_the_readme() -> None:
    assert int(CONSUMPTION_WH.sum()) == 169_643_598
    assert int(GENERATION_WH.sum()) == 103_425_613


def test_the_first_hours_are_those_of_the_source() -> None:
    first = FONTANA.homes[0].consumption_wh.reshape(-1, 4).sum(axis=1)[:4]
    assert first.tolist() == [2_276, 851, 835, 838]  # 2.2758, 0.8512, 0.8346, 0.8382 kWh
    assert FONTANA.homes[0].generation_wh.reshape(-1, 4).sum(axis=1)[6] == 58  # 14.504 W/kW of 4 kW


def test_no_home_generates_more_than_its_nameplate_or_less_than_nothing() -> None:
    for home in FONTANA.homes:
        assert home.generation_wh.min() >= 0
        assert home.consumption_wh.min() >= 0
        assert home.generation_wh.max() <= home.pv_nameplate_w // 4


def test_the_days_are_the_local_calendars() -> None:
    pacific = ZoneInfo("America/Los_Angeles")
    for day, positions in FONTANA.days.items():
        midnight = datetime(day.year, day.month, day.day, tzinfo=pacific)
        next_day = day + timedelta(days=1)
        next_midnight = datetime(next_day.year, next_day.month, next_day.day, tzinfo=pacific)
        assert FONTANA.slots[positions][0] == int(midnight.timestamp())
        assert FONTANA.slots[positions][-1] + FONTANA.slot_s == int(next_midnight.timestamp())


def test_the_days_cover_the_year_without_gap_or_overlap() -> None:
    positions = list(FONTANA.days.values())
    assert positions[0].start == 0
    assert positions[-1].stop == len(FONTANA.slots)
    assert all(earlier.stop == later.start for earlier, later in pairwise(positions))


def test_days_on_which_the_clocks_change_have_an_hour_more_or_less() -> None:
    def length(day: date) -> int:
        return len(FONTANA.slots[FONTANA.day(day)])

    assert (length(SUNNY_DAY), length(CLOCKS_BACK), length(CLOCKS_FORWARD)) == (96, 100, 92)


def test_a_day_outside_the_year_is_refused() -> None:
    with pytest.raises(UnknownDayError, match="2017-08-01"):
        FONTANA.day(date(2017, 8, 1))


def test_the_sun_shines_by_day_in_every_season() -> None:
    """The source's hours are read as local clock time: at no time of year is there generation in the dark."""
    for day, earliest, latest in [
        (date(2016, 8, 1), 6, 20),
        (date(2016, 11, 5), 7, 18),
        (date(2016, 11, 7), 6, 18),
        (date(2016, 12, 21), 6, 17),
        (date(2017, 6, 21), 5, 20),
    ]:
        hourly = GENERATION_WH[:, FONTANA.day(day)].sum(axis=0).reshape(24, 4).sum(axis=1)
        assert hourly[:earliest].sum() == 0
        assert hourly[latest + 1 :].sum() == 0


def test_on_the_sunny_day_neighbours_have_more_to_exchange_than_on_any_other() -> None:
    net = CONSUMPTION_WH - GENERATION_WH
    exchanged = np.minimum(np.maximum(net, 0).sum(axis=0), np.maximum(-net, 0).sum(axis=0))
    by_day = {day: int(exchanged[positions].sum()) for day, positions in FONTANA.days.items()}
    assert max(by_day, key=lambda day: by_day[day]) == SUNNY_DAY
    assert by_day[SUNNY_DAY] == 100_664
