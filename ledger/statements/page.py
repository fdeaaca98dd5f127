"""A verdict as a web page of its own: no scripts, no styles or pictures from elsewhere, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from ledger.hexcodec import to_data
from ledger.statements import words
from ledger.statements.sections import Section, sections
from ledger.statements.verdict import Correction, Outcome, Verdict

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""The header to serve the page with: whatever gets into it, nothing is loaded and nothing runs."""

_COLOURS = {
    Outcome.VALID: "#1b6e3a",
    Outcome.CORRECTED: "#8a5a00",
    Outcome.FORGED: "#a3201d",
    Outcome.UNCHECKABLE: "#555555",
}
_MEANINGS = {
    Outcome.VALID: "The chain says the same, to the last field.",
    Outcome.CORRECTED: "It was right when it was made. Certificates that it counts have been withdrawn since.",
    Outcome.FORGED: "It says something that the chain does not say, or nobody entitled signed it.",
    Outcome.UNCHECKABLE: "No verdict was possible.",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c241f }
.verdict { color: #fff; padding: .8rem 1.2rem; border-radius: .5rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; font-size: .9em }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #cbd6cd }
td { overflow-wrap: anywhere }
.number { text-align: right }
"""


def to_html(verdict: Verdict) -> str:
    """The page, to be served with `CONTENT_SECURITY_POLICY`; a statement that is forged is not shown."""
    outcome = verdict.outcome
    body = [
        f'<div class="verdict" style="background:{_COLOURS[outcome]}">',
        f"<h1>{escape(outcome.value.capitalize())}</h1><p>{escape(_MEANINGS[outcome])}</p></div>",
    ]
    if verdict.head is not None:
        body.append(f"<p>Checked against the chain up to block {verdict.head}.</p>")
    if verdict.reasons:
        body.append("<ul>" + "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons) + "</ul>")
    if verdict.corrections:
        body.append("<h2>Corrected since</h2>" + _table(_corrections(verdict.corrections)))
    if verdict.signed is not None and outcome in (Outcome.VALID, Outcome.CORRECTED):
        body += [_section(each) for each in sections(verdict.signed)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Statement: '
        f"{escape(outcome.value)}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>"
    )


def _section(section: Section) -> str:
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    tables = "".join(_table(each.rows, each.is_number, has_headings=each.has_headings) for each in section.tables)
    return f"<h2>{escape(section.title)}</h2>{text}{tables}"


def _corrections(corrections: Iterable[Correction]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("certificate", "why", "issued", "corrected to", "shortfall", "withdrawn in")]
    for each in corrections:
        corrected = "not yet" if each.corrected_wh is None else words.energy(each.corrected_wh)
        shortfall = "-" if each.shortfall_wh is None else words.energy(each.shortfall_wh)
        where = f"block {each.block}, {to_data(each.transaction)}"
        rows.append(
            (str(each.certificate), each.reason, words.energy(each.issued_wh), corrected, shortfall, where)
        )
    return rows


def _table(rows: Sequence[Sequence[str]], is_number: Sequence[bool] = (), *, has_headings: bool = True) -> str:
    lines = []
    for place, row in enumerate(rows):
        tag = "th" if has_headings and place == 0 else "td"
        cells = (
            f"<{tag}{_class(is_number[column : column + 1])}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _class(is_number: Sequence[bool]) -> str:
    return ' class="number"' if is_number and is_number[0] else ""
