import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ledger.coverage.carbon import Carbon, TechnologyCertificates
from ledger.coverage.claims import Claims
from ledger.coverage.errors import InvalidCoverageError
from ledger.coverage.matching import Origins
from ledger.coverage.periods import Granularity
from ledger.coverage.table import FIELDS, Row, csv_lines, json_lines, rows
from tests.ledger.coverage.strategies import claims_of

NEW_YEAR = 1_704_063_600  # 2023-12-31 23:00 UTC, 2024-01-01 00:00 in Amsterdam


def two_members() -> Claims:
    """Two slots before and two after midnight of a new year in Amsterdam."""
    return claims_of([[10, 0, 30, 40], [0, 0, 5, 5]], [[10, 5, 10, 50], [0, 0, 0, 0]], start_at=NEW_YEAR - 1_800)


def table(granularity: Granularity, **extra: Any) -> list[Row]:
    return list(rows(two_members(), "Europe/Amsterdam", granularity, **extra))


def test_each_period_has_the_members_then_their_sum_then_the_pool() -> None:
    heads = [(row["period"], row["scope"], row["member"]) for row in table(Granularity.MONTH)]
    assert heads == [
        (period, scope, member)
        for period in ("2023-12", "2024-01")
        for scope, member in (("member", "member-0"), ("member", "member-1"), ("members", None), ("pool", None))
    ]


def test_every_row_has_all_fields_in_their_order() -> None:
    for granularity in Granularity:
        assert all(tuple(row) == FIELDS for row in table(granularity))


def test_a_row_says_which_slots_it_is_of() -> None:
    december, january = (row for row in table(Granularity.MONTH) if row["scope"] == "pool")
    assert (december["start_at"], december["end_at"]) == (NEW_YEAR - 1_800, NEW_YEAR)
    assert (january["start_at"], january["end_at"]) == (NEW_YEAR, NEW_YEAR + 1_800)


def test_the_figures_of_a_member_and_of_both_communities() -> None:
    *_, member, silent, members, pool = table(Granularity.YEAR)
    fields = ("consumption_wh", "retired_wh", "matched_wh", "unmatched_wh", "excess_wh", "score_ppm", "annual_ppm")
    assert [member[field] for field in fields] == [70, 60, 50, 20, 10, 714_285, 857_142]
    assert [silent[field] for field in fields] == [10, 0, 0, 10, 0, 0, 0]
    assert [members[field] for field in fields] == [80, 60, 50, 30, 10, 625_000, 750_000]
    assert [pool[field] for field in fields] == [80, 60, 55, 25, 5, 687_500, 750_000]


def test_only_years_have_an_annual_score() -> None:
    for granularity in (Granularity.SLOT, Granularity.DAY, Granularity.MONTH):
        assert {row["annual_ppm"] for row in table(granularity)} == {None}


def test_a_member_without_consumption_has_no_score() -> None:
    member = table(Granularity.YEAR)[1]
    assert (member["consumption_wh"], member["score_ppm"], member["annual_ppm"]) == (0, None, None)


def test_slots_sum_to_months_and_months_to_years() -> None:
    summed = ("consumption_wh", "retired_wh", "matched_wh", "unmatched_wh", "excess_wh")
    totals = []
    for granularity in Granularity:
        totals.append({(row["scope"], row["member"], field): 0 for row in table(granularity) for field in summed})
        for row in table(granularity):
            for field in summed:
                value = row[field]
                assert isinstance(value, int)
                totals[-1][row["scope"], row["member"], field] += value
    assert all(total == totals[0] for total in totals)


def test_origins_and_emissions_stand_in_their_fields() -> None:
    claims = two_members()
    none = np.zeros_like(claims.consumption_wh)
    origins = Origins(claims.consumption_wh // 2, none, none, claims.consumption_wh - claims.consumption_wh // 2)
    factor = np.full(4, 100, dtype=np.int64)
    carbon = Carbon(factor, factor * 2, (TechnologyCertificates("solar", 0, claims.retired_wh),))
    *_, member, _silent, members, pool = table(Granularity.YEAR, origins=origins, carbon=carbon)
    fields = ("self_consumed_wh", "bought_wh", "from_storage_wh", "imported_wh")
    assert [member[field] for field in fields] == [35, 0, 0, 35]
    assert [members[field] for field in fields] == [pool[field] for field in fields] == [39, 0, 0, 41]
    assert (member["location_based_mg"], member["market_based_mg"]) == (7_000, 4_000)
    assert (members["location_based_mg"], members["market_based_mg"]) == (8_000, 6_000)
    assert (pool["location_based_mg"], pool["market_based_mg"]) == (None, None)


def test_inputs_that_do_not_fit_are_refused_before_the_first_row_is_read() -> None:
    with pytest.raises(InvalidCoverageError):
        rows(two_members(), "Europe/Atlantis", Granularity.YEAR)
    none = np.zeros((2, 4), dtype=np.int64)
    with pytest.raises(InvalidCoverageError, match="origins"):
        rows(two_members(), "UTC", Granularity.YEAR, origins=Origins(none, none, none, none))


def test_csv_and_json_hold_the_same_rows() -> None:
    expected = table(Granularity.SLOT)
    read = list(csv.DictReader(csv_lines(expected)))
    assert read == [
        {field: "" if value is None else str(value) for field, value in row.items()} for row in expected
    ]
    assert [json.loads(line) for line in json_lines(expected)] == expected


def test_a_member_whose_name_has_commas_quotes_and_accents_is_one_field() -> None:
    (row, *_) = table(Granularity.YEAR)
    name = 'Zoë "the sun", 3rd floor'
    lines = list(csv_lines([row | {"member": name}]))
    assert [each["member"] for each in csv.DictReader(lines)] == [name]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x"])
def test_a_member_whose_name_is_a_formula_has_an_apostrophe_before_it_in_csv_only(name: str) -> None:
    row = table(Granularity.YEAR)[0] | {"member": name}
    assert [each["member"] for each in csv.DictReader(csv_lines([row]))] == [f"'{name}"]
    assert [json.loads(line)["member"] for line in json_lines([row])] == [name]


def test_what_was_only_claimed_is_shown_and_covers_nothing() -> None:
    claims = two_members()
    claimed = replace(claims, claimed_wh=claims.consumption_wh * 2)
    without, found = (list(rows(each, "UTC", Granularity.YEAR)) for each in (claims, claimed))
    assert [row["claimed_wh"] for row in without] == [None] * 4
    assert [row["claimed_wh"] for row in found] == [160, 20, 180, 180]
    assert [row | {"claimed_wh": None} for row in found] == without


def test_what_was_claimed_has_to_be_energy_of_these_members_and_slots() -> None:
    with pytest.raises(InvalidCoverageError, match="claimed_wh"):
        replace(two_members(), claimed_wh=np.full((2, 4), -1))
