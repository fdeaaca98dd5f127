"""Every reason that one of our contracts can give has a sentence, and no sentence is of a reason that is gone."""

import re
from pathlib import Path

import contracts
from node.reasons import SENTENCES, in_words

SOURCES = sorted(Path(contracts.__file__).parent.rglob("*.vy"))
_REASON = re.compile(r'(?:\bassert\b[^"#]*?,\s*|\braise\s+)"([^"]*)"')
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


def reasons_of(source: str) -> set[str]:
    return set(_REASON.findall(_COMMENT.sub("", source)))


def test_reasons_are_found_in_every_form_they_are_written_in() -> None:
    source = 'assert a, "x: one"\n    assert (\n        b\n    ), "x: two"\n    raise "x: three"\n# raise "no"\n'
    assert reasons_of(source) == {"x: one", "x: two", "x: three"}


def test_every_reason_of_every_contract_has_a_sentence_and_no_other_has_one() -> None:
    written = set().union(*(reasons_of(source.read_text(encoding="utf-8")) for source in SOURCES))
    assert set(SENTENCES) == written


def test_a_sentence_is_one_that_a_message_can_end_with() -> None:
    for reason, sentence in SENTENCES.items():
        assert sentence != reason
        assert sentence[0].islower()
        assert not sentence.endswith(".")


def test_a_foreign_reason_is_given_as_it_is() -> None:
    assert in_words("erc20: transfer to the zero address") == "erc20: transfer to the zero address"
    assert in_words("") == "the contract gives no reason"
    assert in_words("certificates: expired") != "certificates: expired"
