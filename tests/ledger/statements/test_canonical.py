import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.statements.canonical import MAX_INTEGER, decode, encode
from ledger.statements.errors import InvalidStatementError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
)


def test_the_example_of_rfc_8785_without_its_fractions():
    value = {
        "string": "€$\u000f\nA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = b'{"literals":[null,true,false],"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert encode(value) == expected


@settings(max_examples=50)
@given(VALUES)
def test_a_value_has_one_text_and_comes_back(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [MAX_INTEGER + 1, -MAX_INTEGER - 1, 1.0, b"bytes", {1: 2}, {"é": 1}, "\ud800"])
def test_what_not_every_reader_would_read_the_same_is_refused(value):
    with pytest.raises(InvalidStatementError):
        encode([value])


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nan", b"[NaN]", b"[1.0]", b"[1e3]", b"[-0]", b" 1", b"1 ", b'{"a":1,"a":1}', b'{"b":1,"a":1}',
     b'["\\u0041"]', b"\xff", b"[9007199254740992]", b"[" * 100_000],
)  # fmt: skip
def test_every_other_text_is_refused(text):
    with pytest.raises(InvalidStatementError):
        decode(text)
