from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.statements import times, words
from ledger.statements.codec import from_plain, to_plain
from ledger.statements.errors import InvalidStatementError
from ledger.statements.model import MAX_TIME, Statement
from tests.ledger.statements.samples import (
    FIRST,
    IMPORTED,
    MARKET,
    PHOTOVOLTAIC,
    POINT,
    SCOPE,
    disclosure_statement,
    retirement,
    retirement_statement,
)

ZONE = times.zone_of("Europe/Amsterdam")


@pytest.mark.parametrize("statement", [retirement_statement(), disclosure_statement()])
def test_a_statement_comes_back_from_plain_values(statement):
    assert from_plain(Statement, to_plain(statement), "statement") == statement


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [path, *(each for name in value for each in _paths(value[name], (*path, name)))]
    if isinstance(value, list):
        return [path, *(each for place, item in enumerate(value) for each in _paths(item, (*path, place)))]
    return [path]


PATHS = _paths(to_plain(retirement_statement())) + _paths(to_plain(disclosure_statement()))


@given(
    st.sampled_from(PATHS[1:]), st.sampled_from([None, 1, -1, True, 1.5, "x", "0x00", "0xAA", [], {}, [{}], 2**64])
)
def test_a_field_of_another_type_is_refused_or_read_as_it_is(path, value):
    for statement in (retirement_statement(), disclosure_statement()):
        plain = to_plain(statement)
        holder = plain
        try:
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # a path of the other statement
        holder[path[-1]] = value
        try:
            read = from_plain(Statement, plain, "statement")
        except InvalidStatementError:
            continue
        assert to_plain(read) == plain


@pytest.mark.parametrize(
    ("value", "change", "field"),
    [
        (POINT, {"chain_id": 0}, "chain.chain_id"),
        (POINT, {"exchange": b""}, "chain.exchange"),
        (POINT, {"certificates": b""}, "chain.certificates"),
        (POINT, {"devices": b""}, "chain.devices"),
        (POINT, {"block": -1}, "chain.block"),
        (POINT, {"block_hash": b"x"}, "chain.block_hash"),
        (POINT, {"time": 2**40}, "chain.time"),
        (SCOPE, {"account": None}, "scope"),
        (SCOPE, {"market": MARKET}, "scope"),
        (SCOPE, {"account": b"x"}, "scope.account"),
        (SCOPE, {"account": None, "market": b"x"}, "scope.market"),
        (SCOPE, {"first_slot": -1}, "scope.first_slot"),
        (SCOPE, {"end_slot": SCOPE.first_slot}, "scope.end_slot"),
        (SCOPE, {"time_zone": "Mars/Olympus"}, "scope.time_zone"),
        (SCOPE, {"time_zone": "../etc/passwd"}, "scope.time_zone"),
        (SCOPE, {"transactions": (b"x",)}, "scope.transactions"),
        (SCOPE, {"transactions": (b"\x02" * 32, b"\x01" * 32)}, "scope.transactions"),
        (SCOPE, {"transactions": (b"\x01" * 32, b"\x01" * 32)}, "scope.transactions"),
        (retirement_statement(), {"format": "wattbook.statement/1"}, "format"),
        (retirement_statement(), {"issuer": b"x"}, "issuer"),
        (retirement_statement(), {"devices": ()}, "devices and imports"),
        (retirement_statement(), {"imports": ()}, "devices and imports"),
        (retirement_statement(), {"retirements": (), "devices": ()}, "devices and imports"),
        (retirement_statement(), {"scope": replace(SCOPE, end_slot=FIRST + 900)}, "retirements.certificate"),
        (retirement_statement(), {"scope": replace(SCOPE, first_slot=FIRST + 900)}, "retirements.certificate"),
        (retirement(), {"amount_wh": -1}, "retirements.amount_wh"),
        (retirement(), {"first_slot": MAX_TIME + 1}, "retirements.first_slot"),
        (retirement(), {"last_slot": -1}, "retirements.last_slot"),
        (retirement(), {"time": MAX_TIME + 1}, "retirements.time"),
        (PHOTOVOLTAIC, {"technology": "T1"}, "devices.technology and fuel"),
        (PHOTOVOLTAIC, {"fuel": ""}, "devices.technology and fuel"),
        (PHOTOVOLTAIC, {"commissioned_day": 2**16}, "devices.commissioned_day"),
        (IMPORTED, {"fuel": "F"}, "imports.technology and fuel"),
        (disclosure_statement().disclosure.shares[0], {"fuel": "F"}, "disclosure.shares.technology and fuel"),
        (disclosure_statement(), {"disclosure": None}, "disclosure"),
        (retirement_statement(), {"retirements": retirement_statement().retirements * 2_501}, "retirements"),
    ],
)
def test_a_field_outside_its_limits_is_named(value, change, field):
    with pytest.raises(InvalidStatementError) as caught:
        replace(value, **change)
    assert caught.value.field == field


def test_every_field_is_said_in_the_plain_form():
    def names(value: Any) -> set[str]:
        if isinstance(value, tuple):
            return {name for item in value for name in names(item)}
        if not is_dataclass(value) or type(value).__name__ == "CertificateId":
            return set()
        return {f.name for f in fields(value)} | {n for f in fields(value) for n in names(getattr(value, f.name))}

    statement = retirement_statement()
    assert names(statement) <= set(str(to_plain(statement)).replace("'", " ").replace(":", " ").split())


def test_a_month_begins_and_ends_at_local_midnight():
    start, end = times.month(2026, 3, ZONE)
    assert (end - start) / 3_600 == 31 * 24 - 1  # the clock goes forward
    assert times.month(2026, 12, ZONE)[1] == times.month(2027, 1, ZONE)[0]


def test_local_time_says_its_offset_across_the_change_of_the_clock():
    assert times.shown(FIRST, ZONE) == "2026-03-29 00:00 +01:00"
    assert times.shown(FIRST + 2 * 3_600, ZONE) == "2026-03-29 03:00 +02:00"


def test_a_period_of_whole_local_days_is_said_in_days():
    assert words.period(SCOPE) == "2026-03-29 to 2026-04-27 (Europe/Amsterdam)"
    assert "03:00" in words.period(replace(SCOPE, first_slot=FIRST + 2 * 3_600))


def test_people_read_exact_figures_in_their_units():
    assert words.energy(1_234_567) == "1,234.567 kWh"
    assert words.energy(5) == "0.005 kWh"
    assert words.mass(1_234_567_001) == "1,234.568 kg CO2"
    assert words.percent(999_999) == "99.99 %"
    assert words.percent(None) == "-"
    assert words.place(PHOTOVOLTAIC) == "52.37 N, 4.90 E"
    assert words.place(replace(PHOTOVOLTAIC, latitude=-5, longitude=-10_001)) == "0.05 S, 100.01 W"
    assert words.source("T010100", "F01040100") == "Solar: photovoltaic (T010100, F01040100)"
    assert words.subject(disclosure_statement()) == "community fontana"
