import re
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.statements import words
from ledger.statements.codec import from_plain, to_plain
from ledger.statements.errors import InvalidStatementError, NoStatementError, StatementSignatureError
from ledger.statements.export import to_csv, to_json
from ledger.statements.files import MAX_FILE_BYTES, Pages, read
from ledger.statements.model import MAX_LINES, Statement
from ledger.statements.page import to_html
from ledger.statements.pdf import PRODUCER, to_pdf
from ledger.statements.signing import sign
from ledger.statements.verdict import Outcome, Verdict
from tests.ledger.statements.samples import (
    ISSUER,
    declared,
    disclosure_statement,
    key_for,
    retirement,
    retirement_statement,
    signed,
)

SIGNED = signed()
PDF = to_pdf(SIGNED)


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\n", pdf))


def shown(pdf: bytes) -> list[bytes]:
    """The drawing instructions of every page."""
    streams = re.findall(rb"/FlateDecode\n.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)
    return [text for text in map(zlib.decompress, streams) if text.startswith(b"2 J")]


@pytest.mark.parametrize("statement", [retirement_statement(), disclosure_statement()])
def test_a_pdf_carries_the_signed_statement_and_is_the_same_each_time(statement):
    made = signed(statement)
    pdf = to_pdf(made)
    assert to_pdf(made) == pdf
    found = read(pdf)
    assert (found.signed, found.pages) == (made, Pages.SAME)


def test_the_signed_statement_alone_is_a_file_too():
    found = read(SIGNED.token.encode())
    assert (found.signed, found.pages) == (SIGNED, Pages.NONE)


def test_a_pdf_says_that_it_is_an_archive_with_its_source_attached():
    assert b"<pdfaid:part>3</pdfaid:part>" in PDF
    assert b"/AFRelationship /Source" in PDF
    assert b"/OutputIntents" in PDF
    assert b"statement.jws" in PDF


def test_tables_break_over_pages_under_repeated_headings():
    days = signed(retirement_statement(*(retirement(96 * day) for day in range(120))))
    texts = shown(to_pdf(days))
    assert pages_of(to_pdf(days)) == len(texts) > 2
    assert all(b"0.9098 0.9412 0.9098 rg" in text for text in texts[:-1])  # the background of headings


@pytest.mark.slow
def test_the_largest_statement_is_rendered():
    lines = signed(retirement_statement(*(retirement(place) for place in range(MAX_LINES))))
    assert read(to_pdf(lines)).pages is Pages.SAME


@pytest.mark.parametrize(
    "text",
    ["株式会社", "مرحبا", "שלום", "\U0001f600", "{nb}", "**bold** __x__", "\x00\x07\x1b",
     "\n" * 50, "(\\)" * 20, "x" * 500, "<script>", "﷽" * 40],
)  # fmt: skip
def test_any_text_is_shown_one_way_or_another(text):
    made = signed(retirement_statement(declared(text)))
    assert read(to_pdf(made)).pages is Pages.SAME


@settings(max_examples=6, deadline=None)
@given(st.text(max_size=60))
def test_no_text_stops_the_rendering(text):
    to_pdf(signed(retirement_statement(declared(text))))


def test_pages_that_say_something_else_are_found_out():
    other = signed(replace(retirement_statement(), total_wh=9_999))
    forged = to_pdf(other).replace(other.token.encode(), SIGNED.token.encode())
    assert forged != PDF
    assert read(forged).pages is Pages.ALTERED


@settings(max_examples=8, deadline=None)
@given(st.integers(0, len(PDF) - 1), st.integers(1, 255))
def test_no_byte_of_a_pdf_can_be_changed(place, difference):
    changed = PDF[:place] + bytes([PDF[place] ^ difference]) + PDF[place + 1 :]
    try:
        pages = read(changed).pages
    except (NoStatementError, InvalidStatementError, StatementSignatureError):
        return
    assert pages in (Pages.ALTERED, Pages.UNKNOWN)


def test_pages_of_another_programs_making_cannot_be_compared():
    assert read(PDF.replace(PRODUCER.encode(), PRODUCER.replace("fpdf2", "other").encode())).pages is Pages.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        PDF.replace(SIGNED.token.encode(), b""),
        PDF + PDF,
        PDF.replace(b"stream\neyJ", b"stream\r\neyJ"),
    ],
)  # fmt: skip
def test_a_pdf_without_one_attached_statement_has_none_to_check(data):
    with pytest.raises(NoStatementError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        to_csv(SIGNED.statement).encode(),
        to_json(SIGNED.statement).encode(),
        b"# A page about the weather, and then a few words more, as people write them in a text",
    ],
)
def test_another_kind_of_file_is_no_statement_and_no_forgery(data):
    with pytest.raises(NoStatementError, match="neither a signed statement"):
        read(data)


def test_what_a_device_was_registered_without_is_not_stated():
    device = replace(SIGNED.statement.devices[0], latitude=0, longitude=0, commissioned_day=0)
    assert (words.place(device), words.in_operation_since(device)) == ("not stated", "not stated")
    device = replace(device, latitude=5237, longitude=-490, commissioned_day=19_800)
    assert (words.place(device), words.in_operation_since(device)) == ("52.37 N, 4.90 W", "2024-03-18")


def test_a_file_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(InvalidStatementError, match="at most"):
        read(b"%PDF-" + bytes(MAX_FILE_BYTES))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_whatever_a_well_formed_statement_says_can_be_shown(data):
    """Pages are rendered before the chain is asked, so that nothing a forger writes may stop them."""
    plain = to_plain(data.draw(st.sampled_from([retirement_statement(), disclosure_statement()])))
    holder, step = plain, data.draw(st.sampled_from(sorted(plain)))
    while isinstance(holder[step], dict | list) and holder[step]:
        holder = holder[step]
        step = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    numbers = [0, 1, -1, 2**31, 2**40 - 1, 2**53 - 1, -(2**53) + 1]
    others = [None, "", "T999999", "0x", "x" * 300, "Asia/Tokyo", [], True]
    holder[step] = data.draw(st.sampled_from(numbers + others) | st.text(max_size=20))
    try:
        statement = from_plain(Statement, plain, "statement")
        made = sign(replace(statement, issuer=ISSUER.address), key_for(statement.chain))
    except InvalidStatementError:
        return
    to_pdf(made)
    to_html(Verdict(Outcome.VALID, signed=made))
    to_csv(made.statement)
