from html.parser import HTMLParser

import pytest

from ledger.certificates.ids import CertificateId
from ledger.statements.files import Pages
from ledger.statements.page import CONTENT_SECURITY_POLICY, to_html
from ledger.statements.verdict import Correction, Outcome, Verdict
from tests.ledger.statements.samples import declared, disclosure_statement, retirement_statement, signed

EVIL = "<script>alert('x')</script>\"&amp;"


class Elements(HTMLParser):
    """Collects what a browser would take for elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def correction(reason: str) -> Correction:
    return Correction(
        CertificateId(900, 7), reason, 1_200, CertificateId(900, 7, revision=1), 900, 300, 50, b"\x01" * 32
    )


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(Outcome.VALID, signed=signed(retirement_statement(declared(EVIL))), pages=Pages.SAME, head=9),
        Verdict(Outcome.CORRECTED, corrections=(correction(EVIL),), signed=signed(disclosure_statement()), head=9),
        Verdict(Outcome.FORGED, (EVIL,), signed=signed()),
        Verdict(Outcome.UNCHECKABLE, (EVIL, EVIL)),
    ],
)
def test_a_page_shows_the_verdict_and_nothing_in_it_becomes_markup(verdict):
    html = to_html(verdict)
    page = Elements(html)
    assert verdict.outcome.value.capitalize() in page.text
    assert EVIL in page.text or verdict.corrections
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "ul", "li",
        "table", "tr", "td", "th",
    }  # fmt: skip
    assert page.attributes <= {"lang", "charset", "name", "content", "class", "style"}
    assert "url(" not in html
    assert "http" not in html


def test_a_page_says_what_was_corrected_and_by_how_much():
    text = Elements(to_html(Verdict(Outcome.CORRECTED, corrections=(correction("meter fault"),)))).text
    for expected in ("meter fault", "1.200 kWh", "0.900 kWh", "0.300 kWh", "generation of device 7 in slot 900"):
        assert expected in text


@pytest.mark.parametrize("outcome", [Outcome.FORGED, Outcome.UNCHECKABLE])
def test_what_does_not_hold_is_not_shown(outcome):
    made = signed()
    assert made.digest.hex() in to_html(Verdict(Outcome.VALID, signed=made))
    assert made.digest.hex() not in to_html(Verdict(outcome, signed=made))


def test_the_page_is_served_with_a_policy_that_lets_nothing_load():
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
