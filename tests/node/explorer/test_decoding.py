"""Whatever comes from the chain is decoded or left alone, and never makes the explorer fail."""

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import artifacts
from ledger.abi import Interface, interface
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.chain import Log
from node.explorer.decoding import Decoded, decode_call, decode_event
from node.explorer.people import for_people, for_programs, printable

ADDRESS = b"\x11" * 20
SELECTORS = sorted(
    {
        Interface(artifact).selector(entry["name"])
        for artifact in artifacts().values()
        for entry in artifact.abi
        if entry["type"] == "function"
    }
)
TOPICS = sorted(
    {
        Interface(artifact).topic(entry["name"])
        for artifact in artifacts().values()
        for entry in artifact.abi
        if entry["type"] == "event"
    }
)
WORDS = st.one_of(st.integers(0, 2**256 - 1), st.integers(0, 600), st.sampled_from([32, 64, 2**64, 2**255])).map(
    lambda number: number.to_bytes(32)
)
DATA = st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=40).map(b"".join))


def log(topics: list[bytes], data: bytes) -> Log:
    return Log(ADDRESS, tuple(topics), data, 1, bytes(32), bytes(32), 0, 0)


def told(decoded: Decoded | None) -> None:
    """Both forms of what was decoded, if anything was."""
    if decoded is not None:
        assert for_programs(decoded.arguments).keys() == for_people(decoded, lambda _: None).keys()


@given(selector=st.sampled_from(SELECTORS), data=DATA)
def test_any_calldata_is_decoded_or_left_alone(selector: bytes, data: bytes) -> None:
    told(decode_call(selector + data, None))


@given(topic=st.sampled_from(TOPICS), more=st.lists(WORDS, max_size=3), data=DATA)
def test_any_log_is_decoded_or_left_alone(topic: bytes, more: list[bytes], data: bytes) -> None:
    told(decode_event(log([topic, *more], data), None))


def test_logs_and_calls_without_any_name_are_left_alone() -> None:
    assert decode_event(log([], b""), None) is None
    assert decode_event(log([bytes(32)], b""), None) is None
    assert decode_call(b"", None) is None
    assert decode_call(b"\x00\x01", None) is None


@pytest.mark.parametrize("name", sorted(artifacts()))
def test_every_function_of_every_contract_is_known(name: str) -> None:
    contract = interface(name)
    for entry in artifacts()[name].abi:
        if entry["type"] == "function" and not entry["inputs"]:
            decoded = decode_call(contract.selector(entry["name"]), name)
            assert decoded is not None
            assert (decoded.contract, decoded.name, decoded.arguments) == (name, entry["name"], {})


def test_a_function_that_several_contracts_have_is_explained_by_the_one_that_is_called() -> None:
    data = keccak(b"balanceOf(address,uint256)")[:4] + ADDRESS.rjust(32, b"\0") + (5).to_bytes(32)
    for contract in ("energy", "certificates"):
        decoded = decode_call(data, contract)
        assert decoded is not None
        assert decoded.contract == contract


def test_events_that_differ_only_in_what_is_indexed_are_told_apart() -> None:
    transfer = keccak(b"Transfer(address,address,uint256)")
    party, amount = ADDRESS.rjust(32, b"\0"), (7).to_bytes(32)
    ours = decode_event(log([transfer, party, party], amount), None)
    assert ours is not None
    assert (ours.name, ours.arguments["value"]) == ("Transfer", 7)
    assert decode_event(log([transfer, party, party, amount], b""), None) is None


def test_text_cannot_command_a_terminal() -> None:
    assert printable("solar\x1b[31m\nroof") == "solar\ufffd[31m\ufffdroof"


FIELDS = {
    "energy_wh": (1_500, "1.500 kWh"),
    "balance_nano": (2 * 10**9, "2.0000 EUR"),
    "price": (145_000, "14.50 ct/kWh"),
    "retail_price": (220_000, "22.00 ct/kWh"),
    "nameplate_w": (20_000, "20,000 W"),
    "slot_length_s": (900, "900 s"),
    "nonce": (12_345, "12345"),
    "slot": (0, "0"),
    "deadline": (2**256 - 1, str(2**256 - 1)),
    "word": (2**255, "0x8" + "0" * 63),
}


@pytest.mark.parametrize(("name", "value", "text"), [(name, *rest) for name, rest in FIELDS.items()])
def test_units_follow_from_the_names(name: str, value: int, text: str) -> None:
    fields = ({"name": name, "type": "uint256"},)
    decoded = Decoded("exchange", "function", fields, {name: value})
    assert for_people(decoded, lambda _: None) == {name: text}
    assert for_programs(decoded.arguments) == {name: str(value)}


@pytest.mark.parametrize(
    ("contract", "text"), [("credit", "0.0000 EUR"), ("certificates", "1.500 kWh"), ("other", "1500")]
)
def test_amounts_are_in_the_contracts_unit(contract: str, text: str) -> None:
    decoded = Decoded(contract, "function", ({"name": "amount", "type": "uint256"},), {"amount": 1_500})
    assert for_people(decoded, lambda _: None) == {"amount": text}


TOKENS = [
    (
        CertificateId(1_800, 7),
        "generation of device 7, 1970-01-01 00:30 UTC (0x10000000000000007000000000000000600)",
    ),
    (
        CertificateId(1_800, 7, CertificateKind.CONSUMPTION, 2),
        "consumption of device 7, 1970-01-01 00:30 UTC, revision 2",
    ),
    (CertificateId(1_800, 3, CertificateKind.IMPORTED), "import 3, 1970-01-01 00:30 UTC"),
]


@pytest.mark.parametrize(("certificate", "text"), TOKENS)
@pytest.mark.parametrize("name", ["ids", "_ids", "sources"])
def test_a_token_id_is_told_as_kind_device_and_slot(
    monkeypatch: pytest.MonkeyPatch, certificate: CertificateId, text: str, name: str
) -> None:
    monkeypatch.setattr("node.cli.units.shown_time", lambda _: "1970-01-01 00:30 UTC")
    decoded = Decoded("certificates", "event", ({"name": name, "type": "uint256[]"},), {name: [int(certificate)]})
    ((shown,),) = for_people(decoded, lambda _: None).values()
    assert shown.startswith(text)
    assert hex(int(certificate)) in shown
    assert for_programs(decoded.arguments) == {name: [str(int(certificate))]}


def test_a_number_that_is_no_certificate_stays_a_number() -> None:
    fields = ({"name": "id", "type": "uint256"},)
    for contract, value in (("certificates", 2**200), ("energy", int(CertificateId(1_800, 7)))):
        shown = for_people(Decoded(contract, "event", fields, {"id": value}), lambda _: None)
        assert shown == {"id": f"{value:#x}"}


@given(st.fixed_dictionaries({name: st.integers(0, 2**256 - 1) for name in ("who", "terms", "r", "s")}))
def test_words_that_hold_no_order_are_shown_as_words(words: dict[str, int]) -> None:
    parts = [{"name": name, "type": "uint256"} for name in words]
    fields = ({"name": "fill", "type": "tuple", "components": parts},)
    (shown,) = for_people(Decoded("exchange", "function", fields, {"fill": words}), lambda _: None).values()
    assert shown.keys() == words.keys() or shown["side"] in ("bid", "offer")


def test_structs_and_lists_keep_their_shape() -> None:
    part = {"name": "amount_wh", "type": "uint256"}
    fields = (
        {"name": "moves", "type": "tuple[]", "components": [{"name": "to", "type": "address"}, part]},
        {"name": "flags", "type": "bool[2]"},
        {"name": "id", "type": "bytes32"},
    )
    market = b"fontana".ljust(32, b"\0")
    arguments = {"moves": [{"to": ADDRESS, "amount_wh": 7}], "flags": [True, False], "id": market}
    decoded = Decoded("certificates", "function", fields, arguments)
    assert for_people(decoded, {ADDRESS: "Bob"}.get) == {
        "moves": [{"to": f"Bob (0x{ADDRESS.hex()})", "amount_wh": "0.007 kWh"}],
        "flags": ["yes", "no"],
        "id": "fontana",
    }
    assert for_programs(arguments) == {
        "moves": [{"to": f"0x{ADDRESS.hex()}", "amount_wh": "7"}],
        "flags": [True, False],
        "id": f"0x{market.hex()}",
    }
