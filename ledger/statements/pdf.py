"""A statement as a PDF: pages that people read, and the signed statement itself attached to them (PDF/A-3).

The same signed statement gives the same bytes, so that a verifier can render it again and compare: pages that say
anything else than the statement attached to them are found out (see `ledger.statements.files`).

The packaged font, DejaVu Sans, has Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and Georgian letters; any
other sign is shown as U+FFFD. The attachment has it exactly.
"""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata, resources

import segno
from fpdf import FPDF
from fpdf.enums import AssociatedFileRelationship, TableBordersLayout
from fpdf.fonts import FontFace

from ledger.hexcodec import to_data
from ledger.statements import words
from ledger.statements.sections import Table, sections
from ledger.statements.signing import SignedStatement

ATTACHMENT = "statement.jws"
PRODUCER = ", ".join(
    ["wattbook statement 1"]
    + [f"{package} {metadata.version(package)}" for package in ("fpdf2", "fonttools", "segno")]
    + [f"zlib {zlib.ZLIB_RUNTIME_VERSION}"]
)
"""What made the pages: everything that decides their bytes. Only the same renders the same."""

_FONT = "DejaVuSans"
_REPLACEMENT = "\ufffd"
_GREY, _LIGHT, _LINES = (90, 90, 90), (232, 240, 232), (190, 200, 190)
_MARGIN_MM, _QR_MM = 18, 32


def to_pdf(signed: SignedStatement) -> bytes:
    """The pages and the attachment; the same bytes for the same signed statement."""
    statement = signed.statement
    made_at = datetime.fromtimestamp(statement.chain.time, tz=UTC)
    title = words.TITLES[statement.kind]
    pdf = _Pages(f"{title}, {to_data(signed.digest)}")
    pdf.set_title(title)
    pdf.set_producer(PRODUCER)
    pdf.set_lang("en")
    pdf.set_creation_date(made_at)
    pdf.set_xmp_metadata(_metadata(title, made_at))
    pdf.embed_file(
        bytes=signed.token.encode(),
        basename=ATTACHMENT,
        mime_type="application/jose",
        associated_file_relationship=AssociatedFileRelationship.SOURCE.value,
        desc="The signed statement: a JSON Web Signature, RFC 7515",
        creation_date=made_at,
        modification_date=made_at,
    )
    pdf.add_page()
    pdf.heading(title, 16)
    for section in sections(signed):
        pdf.section(section.title, section.text)
        for table in section.tables:
            pdf.rows(table)
    pdf.code(f"wattbook statement sha256 {signed.digest.hex()}")
    return bytes(pdf.output())


class _Pages(FPDF):
    """A4 pages with our font, a footer, and tables that break over pages under repeated headings."""

    def __init__(self, footer: str) -> None:
        super().__init__(enforce_compliance="PDF/A-3B")
        self._footer = footer
        with resources.as_file(resources.files("ledger.statements") / "data" / f"{_FONT}.ttf") as path:
            self.add_font(_FONT, fname=path)
        self._known = set(self.fonts[_FONT.lower()].cmap)  # type: ignore[union-attr]  # a font of ours is a TTFFont
        self.set_font(_FONT, size=9)
        self.set_margin(_MARGIN_MM)
        self.set_draw_color(*_LINES)
        self.set_line_width(0.15)
        self.alias_nb_pages("")  # or "{nb}" in a text would become a number
        self.set_auto_page_break(auto=True, margin=_MARGIN_MM)

    def footer(self) -> None:
        self.set_y(-_MARGIN_MM + 5)
        self.set_font(size=6.5)
        self.set_text_color(*_GREY)
        self.cell(self.epw - 20, 4, self._footer)
        self.cell(20, 4, f"page {self.page_no()}", align="R")
        self.set_text_color(0)
        self.set_font(size=9)

    def heading(self, text: str, size: int) -> None:
        """A line of larger letters."""
        self.set_font(size=size)
        self.multi_cell(0, size * 0.6, self._printable(text), new_x="LMARGIN", new_y="NEXT")
        self.set_font(size=9)

    def section(self, title: str, text: str) -> None:
        """A heading, kept together with what follows, and a paragraph."""
        if self.will_page_break(30):
            self.add_page()
        self.ln(3)
        self.heading(title, 11)
        if text:
            self.multi_cell(0, 4.5, self._printable(text), new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(1)

    def rows(self, table: Table) -> None:
        """A table whose headings are repeated on each page."""
        self.set_font(size=7.5)
        with self.table(
            col_widths=table.widths,
            text_align=tuple("RIGHT" if each else "LEFT" for each in table.is_number),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(fill_color=_LIGHT, emphasis=""),
            first_row_as_headings=table.has_headings,
            line_height=4.2,
            wrapmode="WORD",
        ) as grid:
            for row in table.rows:
                grid.row([self._printable(cell) for cell in row])
        self.ln(2)
        self.set_font(size=9)

    def code(self, text: str) -> None:
        """A QR code (ISO/IEC 18004) with its text beside it."""
        if self.will_page_break(_QR_MM):
            self.add_page()
        top, matrix = self.get_y(), segno.make_qr(text, error="m").matrix
        module_mm = _QR_MM / len(matrix)
        for line, row in enumerate(matrix):
            for start, end in _runs(row):
                left = self.l_margin + start * module_mm
                self.rect(left, top + line * module_mm, (end - start) * module_mm, module_mm, style="F")
        self.set_xy(self.l_margin + _QR_MM + 5, top + 4)
        self.multi_cell(0, 4.5, text, align="L")

    def _printable(self, text: str) -> str:
        one_line = " ".join(text.split())
        return "".join(sign if ord(sign) in self._known else _REPLACEMENT for sign in one_line)


def _runs(row: Sequence[int]) -> list[tuple[int, int]]:
    """Where dark modules stand together in a row: start and end."""
    edges = [
        i for i, (left, right) in enumerate(zip([0, *row], [*row, 0], strict=True)) if bool(left) != bool(right)
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _metadata(title: str, made_at: datetime) -> str:
    """XMP metadata with the statement's time, where fpdf2 would put the time of rendering."""
    at = made_at.isoformat(timespec="seconds")
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmp:CreateDate="{at}" xmp:ModifyDate="{at}" xmp:MetadataDate="{at}" pdf:Producer="{escape(PRODUCER)}">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
