"""Coverage and emissions as flat rows for CSV and JSON, one for each period and member, and two for the community.

The fields, their units and which are empty when are documented in `docs/matching-247.md`; their names are fixed.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ledger.coverage import matching
from ledger.coverage.carbon import Carbon, community_mg, emissions
from ledger.coverage.claims import Claims
from ledger.coverage.matching import Coverage, Origins
from ledger.coverage.periods import Granularity, Period, periods_of, summed
from ledger.spreadsheets import cell
from matching.book import Ints

Row = dict[str, int | str | None]

FIELDS = (
    "granularity",
    "period",
    "start_at",
    "end_at",
    "scope",
    "member",
    "consumption_wh",
    "retired_wh",
    "matched_wh",
    "unmatched_wh",
    "excess_wh",
    "claimed_wh",
    "score_ppm",
    "annual_ppm",
    "self_consumed_wh",
    "bought_wh",
    "from_storage_wh",
    "imported_wh",
    "location_based_mg",
    "market_based_mg",
)


class Scope(StrEnum):
    """Whom a row is of: a member, the sum of the members, or the pool (see `ledger.coverage.matching`)."""

    MEMBER = "member"
    MEMBERS = "members"
    POOL = "pool"


def rows(
    claims: Claims,
    time_zone: str,
    granularity: Granularity,
    *,
    origins: Origins | None = None,
    carbon: Carbon | None = None,
) -> Iterator[Row]:
    """Rows in the order of the periods; in each the members in their order, then their sum, then the pool.

    Args:
        claims: what was consumed and retired; what was only claimed is None if they do not have it.
        time_zone: IANA name of the calendar's time zone.
        granularity: how long the periods are.
        origins: where the consumption came from; without them their fields are None.
        carbon: factors and technologies; without them the emissions are None.

    Returns:
        An iterator of rows that have all of `FIELDS`, in that order.

    Raises:
        InvalidCoverageError: the inputs do not fit together, or there is no such time zone. Raised at once.
    """
    periods = periods_of(claims, time_zone, granularity)
    columns = _Columns(
        matching.members(claims, periods),
        matching.by_members(claims, periods),
        matching.pool(claims, periods),
        _claimed_columns(claims, periods) | _origin_columns(claims, origins, periods),
        _emission_columns(claims, carbon, periods),
    )
    return _rows(claims, granularity, periods, columns)


def csv_lines(table: Iterable[Row]) -> Iterator[str]:
    r"""The rows as CSV: a header, then a line each, ending in `\n`; None is empty.

    Names that a spreadsheet would take for formulas are as `ledger.spreadsheets.cell` makes them.
    """
    line = io.StringIO()
    writer = csv.DictWriter(line, FIELDS, lineterminator="\n")
    writer.writeheader()
    yield line.getvalue()
    for row in table:
        line.seek(0)
        line.truncate()
        writer.writerow({field: cell(value) for field, value in row.items()})
        yield line.getvalue()


def json_lines(table: Iterable[Row]) -> Iterator[str]:
    r"""The rows as JSON objects, a line each, ending in `\n`; integers of any size as such."""
    for row in table:
        yield json.dumps(row, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Figures by period: of the members, of their sum, of the pool.

    `beside` (of claims that were not matched, and origins) and `emissions` map a field to figures of the members,
    (members, periods), and of the community.
    """

    members: matching.Coverages
    by_members: matching.Coverages
    pool: matching.Coverages
    beside: dict[str, tuple[Ints, list[int]]]
    emissions: dict[str, tuple[Ints, list[int]]]


def _rows(
    claims: Claims, granularity: Granularity, periods: tuple[Period, ...], columns: _Columns
) -> Iterator[Row]:
    figures_of = columns.beside | columns.emissions
    for number, period in enumerate(periods):
        when: Row = {
            "granularity": granularity.value,
            "period": period.name,
            "start_at": int(claims.slots[period.first]),
            "end_at": int(claims.slots[period.end - 1]) + claims.slot_s,
        }
        for index, member in enumerate(claims.members):
            coverage = columns.members.at(index, number)
            figures = {field: int(of_members[index, number]) for field, (of_members, _) in figures_of.items()}
            yield _row(when, Scope.MEMBER, member, coverage, figures)
        community = {field: of_community[number] for field, (_, of_community) in figures_of.items()}
        yield _row(when, Scope.MEMBERS, None, columns.by_members.at(0, number), community)
        pooled = {field: of_community[number] for field, (_, of_community) in columns.beside.items()}
        yield _row(when, Scope.POOL, None, columns.pool.at(0, number), pooled)


def _row(when: Row, scope: Scope, member: str | None, coverage: Coverage, figures: dict[str, int]) -> Row:
    row: Row = dict.fromkeys(FIELDS)
    row |= when
    row |= {
        "scope": scope.value,
        "member": member,
        "consumption_wh": coverage.consumption_wh,
        "retired_wh": coverage.retired_wh,
        "matched_wh": coverage.matched_wh,
        "unmatched_wh": coverage.unmatched_wh,
        "excess_wh": coverage.excess_wh,
        "score_ppm": coverage.score_ppm,
        "annual_ppm": coverage.annual_ppm if when["granularity"] == Granularity.YEAR else None,
    }
    return row | figures


def _claimed_columns(claims: Claims, periods: tuple[Period, ...]) -> dict[str, tuple[Ints, list[int]]]:
    if claims.claimed_wh is None:
        return {}
    sums = summed(claims.claimed_wh, periods)
    return {"claimed_wh": (sums, sums.sum(axis=0).tolist())}


def _origin_columns(
    claims: Claims, origins: Origins | None, periods: tuple[Period, ...]
) -> dict[str, tuple[Ints, list[int]]]:
    if origins is None:
        return {}
    origins.check(claims)
    columns = {}
    for field in ("self_consumed_wh", "bought_wh", "from_storage_wh", "imported_wh"):
        sums = summed(getattr(origins, field), periods)
        columns[field] = (sums, sums.sum(axis=0).tolist())
    return columns


def _emission_columns(
    claims: Claims, carbon: Carbon | None, periods: tuple[Period, ...]
) -> dict[str, tuple[Ints, list[int]]]:
    if carbon is None:
        return {}
    each = emissions(claims, carbon, periods)
    return {
        "location_based_mg": (each.location_based_mg, community_mg(each.location_based_mg)),
        "market_based_mg": (each.market_based_mg, community_mg(each.market_based_mg)),
    }
