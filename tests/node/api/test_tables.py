"""Lists as files that people take away: all rows, units in the columns' names, integers in Parquet."""

import csv
import io
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from node.api import tables
from node.api.services import Services
from tests.node.api.test_orders import assert_problem
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, reading
from tests.node.progress import PRICE, TRADED_WH, certify, settle

LISTS = ("/v1/slots", "/v1/trades", "/v1/settlements", "/v1/orders", "/v1/bills?month=2025-06")
UNITS = ("_unix_s", "_wh", "_nano", "_nano_per_wh", "_block", "_size", "_used", "_slots")
COUNTS = ("number", "index", "block", "epoch")


def asked(path: str, form: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}format={form}"


def parquet(answer: httpx.Response) -> pa.Table:
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    return pq.read_table(io.BytesIO(answer.content))


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def _settled(services: Services) -> None:
    settle(services)
    settle(services, SLOT + 900)


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize("path", LISTS)
def test_both_files_say_the_same_and_name_their_units(http: httpx.Client, path: str) -> None:
    table, rows = parquet(http.get(asked(path, "parquet"))), rows_of(http.get(asked(path, "csv")))
    assert table.num_rows == len(rows) > 1
    assert list(rows[0]) == table.column_names
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        assert kind in (pa.int64(), pa.uint64(), pa.string(), pa.bool_())
        assert kind != pa.int64() or name.endswith(UNITS) or name in COUNTS, name
        shown = ["" if value is None else str(value) for value in column.to_pylist()]
        assert [row[name].removeprefix("'").capitalize() for row in rows] == [each.capitalize() for each in shown]


@pytest.mark.usefixtures("_settled")
def test_a_file_has_all_rows_that_the_filters_leave(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("trades", "slots", "settlements"):
        monkeypatch.setattr(f"node.api.{module}.BATCH_ROWS", 1)
    monkeypatch.setattr(tables, "BATCH_ROWS", 1)
    assert parquet(http.get("/v1/trades?format=parquet&limit=1")).num_rows == 2
    assert len(rows_of(http.get("/v1/settlements?format=csv"))) == 2
    one = rows_of(http.get(f"/v1/slots?format=csv&first_slot={SLOT}&last_slot={SLOT}"))
    assert [(row["slot_unix_s"], row["price_nano_per_wh"]) for row in one] == [(str(SLOT), str(PRICE))]
    nothing = parquet(http.get("/v1/trades?format=parquet&slot=900"))
    assert (nothing.num_rows, nothing.schema.field("amount_nano").type) == (0, pa.int64())


@pytest.mark.usefixtures("_settled")
def test_what_a_trade_cost_is_an_exact_integer(http: httpx.Client) -> None:
    first = parquet(http.get("/v1/trades?format=parquet")).to_pylist()[0]
    assert first["amount_nano"] == first["price_nano_per_wh"] * first["quantity_wh"] == PRICE * TRADED_WH
    assert first["seller"] == "0x" + ALICE.address.hex()


@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_format_is_refused_in_words(http: httpx.Client, path: str) -> None:
    problem = assert_problem(http.get(asked(path, "xlsx")), 422, "request.invalid")
    assert problem["field"] == "format"
    assert "'json', 'csv' or 'parquet'" in problem["detail"]


def test_a_file_is_named_after_what_it_holds(http: httpx.Client) -> None:
    headers = http.get("/v1/slots?format=parquet").headers
    assert headers["content-disposition"] == 'attachment; filename="slots.parquet"'


def test_bills_are_listed_by_account_and_paged(http: httpx.Client, services: Services) -> None:
    settle(services)
    services.clock.advance_to(SLOT + 900)  # type: ignore[attr-defined]  # it is a stepped one
    for number in (SOLAR, LOAD):
        services.metering.submit(reading(number))
    certify(services)
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(2):
        params = {"month": "2025-06", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = http.get("/v1/bills", params=params).json()
        found += page["items"]
        cursor = page["next"]
    assert cursor is None
    assert [bill["account"] for bill in found] == sorted("0x" + key.address.hex() for key in (ALICE, BOB))
    bob = next(bill for bill in found if bill["account"] == "0x" + BOB.address.hex())
    assert (bob["bought_wh"], bob["paid_nano"], bob["mean_price_bought"]) == (
        TRADED_WH,
        str(TRADED_WH * PRICE),
        PRICE,
    )
    assert http.get(f"/v1/bills/{bob['account']}/2025-06").json() == bob


def test_bills_of_no_month_no_zone_and_no_member_are_refused(http: httpx.Client) -> None:
    assert assert_problem(http.get("/v1/bills?month=May"), 422, "bill.invalid")["field"] == "month"
    nowhere = http.get("/v1/bills?month=2025-06&time_zone=Atlantis")
    assert assert_problem(nowhere, 422, "bill.invalid")["field"] == "time_zone"
    assert_problem(http.get(f"/v1/bills/0x{'77' * 20}/2025-06"), 404, "member.unknown")
