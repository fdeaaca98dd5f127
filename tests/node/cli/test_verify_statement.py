"""`wattbook certificates verify` on a chain served over JSON-RPC."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ledger.devchain.rpc import create_app
from ledger.hexcodec import to_data
from ledger.statements.pdf import to_pdf
from node.cli.verify_statement import verify_statement
from tests.ledger.certificates.street import PV, generation
from tests.ledger.chain.serving import served
from tests.ledger.statements.town import Town, new_town

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with new_town() as found:
        yield found


@pytest.fixture(scope="module")
def url(town: Town) -> Iterator[str]:
    with served(create_app(town.world.chain)) as found:
        yield found


@pytest.fixture
def pdf(town: Town, tmp_path: Path) -> Path:
    path = tmp_path / "statement.pdf"
    path.write_bytes(to_pdf(town.signed(town.retirement())))
    return path


def run(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(verify_statement)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_valid_statement_ends_with_status_0(town, url, pdf):
    result = run(pdf, "--rpc", url, "--exchange", to_data(town.contracts.exchange.address))
    assert result.exit_code == 0, result.output
    assert "Valid" in result.output
    assert "1.350 kWh" in result.output


def test_programs_get_the_verdict_as_json(town, url, tmp_path):
    file = tmp_path / "statement.jws"
    file.write_text(town.signed(town.disclosure()).token)
    result = run(file, "--rpc", url, "--json")
    said = json.loads(result.output)
    assert (said["outcome"], said["kind"], said["total_wh"], said["pages"]) == (
        "valid",
        "disclosure",
        2_600,
        "none",
    )


def test_a_forged_statement_ends_with_status_4_and_says_why(town, url, pdf, tmp_path):
    data = bytearray(pdf.read_bytes())
    data[-100] ^= 1
    forged = tmp_path / "forged.pdf"
    forged.write_bytes(data)
    page = tmp_path / "verdict.html"
    result = run(forged, "--rpc", url, "--html", page)
    assert result.exit_code == 4
    assert "pages" in result.output
    assert "Forged" in page.read_text()


def test_another_exchange_than_expected_ends_with_status_4(url, pdf):
    result = run(pdf, "--rpc", url, "--exchange", "0x" + "01" * 20)
    assert result.exit_code == 4
    assert "not 0x0101" in result.output


def test_an_endpoint_out_of_reach_ends_with_status_5(pdf):
    result = run(pdf, "--rpc", NOWHERE)
    assert result.exit_code == 5
    assert "could not check" in result.output


def test_a_file_without_a_statement_ends_with_status_5(url, tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"%PDF-1.7\n")
    assert run(empty, "--rpc", url).exit_code == 5


@pytest.mark.parametrize("arguments", [["nowhere.pdf"], [__file__, "--exchange", "0x12"]])
def test_wrong_arguments_end_with_status_2(arguments):
    assert run(*arguments).exit_code == 2


# The last one, as it changes the chain.
def test_a_statement_corrected_since_ends_with_status_3_and_says_by_how_much(town, url, pdf):
    town.street.issuer.withdraw(generation(PV), "meter fault")
    town.street.issuer.reissue(generation(PV), 1_500)
    result = run(pdf, "--rpc", url)
    assert result.exit_code == 3
    assert "2.000 kWh -> 1.500 kWh, shortfall 0.150 kWh (meter fault)" in result.output
    (correction,) = json.loads(run(pdf, "--rpc", url, "--json").output)["corrections"]
    assert (correction["issued_wh"], correction["corrected_wh"], correction["shortfall_wh"]) == (2_000, 1_500, 150)
