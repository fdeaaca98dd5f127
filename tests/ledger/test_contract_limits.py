"""What Python takes for the contracts' limits is what stands in their sources."""

import re
from pathlib import Path

import pytest

import contracts
from ledger import storage
from ledger.allocation import parts
from ledger.certificates import ids, issuer, selection, shares

_ARRAY = re.compile(r"(\w+): DynArray\[[\w.]+, (\w+)\]")
_CONSTANT = re.compile(r"^(\w+): constant\(uint256\) = (\d+)$", re.MULTILINE)


def source_of(contract: str) -> str:
    return (Path(contracts.__file__).parent / f"{contract}.vy").read_text(encoding="utf-8")


def limits_of(contract: str, function: str) -> dict[str, int]:
    """How many elements a function's lists may have, by the arguments' names, and `returned`."""
    source = source_of(contract)
    constants = {name: int(value) for name, value in _CONSTANT.findall(source)}
    (signature,) = re.findall(rf"^def {function}\((.*?):\n    \"\"\"", source, re.MULTILINE | re.DOTALL)
    arguments, _, returned = signature.partition("->")
    found = _ARRAY.findall(arguments) + _ARRAY.findall(f"returned:{returned}")
    return {name: constants[limit] if limit in constants else int(limit) for name, limit in found}


def test_a_certification_carries_as_much_as_the_contract_takes() -> None:
    assert limits_of("issuance", "certify") == {
        "issuances": parts.MAX_ISSUANCES,
        "consumptions": parts.MAX_CONSUMPTIONS,
        "moves": parts.MAX_MOVES,
        "matches": parts.MAX_MATCHES,
    }


def test_a_discharge_takes_as_many_lots_as_the_contracts() -> None:
    constants = dict(_CONSTANT.findall(source_of("lots")))
    assert int(constants["MAX_LOTS"]) == storage.MAX_LOTS_PER_DISCHARGE
    assert "for taken: uint256 in range(MAX_LOTS):" in source_of("lots")


def test_lots_are_read_as_many_at_once_as_the_contract_tells() -> None:
    assert limits_of("issuance", "lots_of") == {"returned": storage.LOTS_AT_ONCE}


@pytest.mark.parametrize("function", ["retire", "export"])
def test_a_retirement_names_as_many_certificates_as_the_contract_takes(function: str) -> None:
    assert limits_of("certificates", function) == {"ids": selection.MAX_IDS, "amounts": selection.MAX_IDS}


def test_the_issuers_steps_carry_as_much_as_the_contracts_take() -> None:
    assert limits_of("issuance", "issue") == {"amounts": issuer.MAX_ISSUED_SLOTS}
    assert limits_of("issuance", "reissue") == {"moves": shares.MAX_SHARES}
    assert limits_of("devices", "anchor") == {"anchors": issuer.MAX_ANCHORS}
    assert limits_of("issuance", "reissue") == {"moves": shares.MAX_SHARES}


def test_a_certificate_is_corrected_as_often_as_the_contract_lets_it() -> None:
    assert int(dict(_CONSTANT.findall(source_of("issuance")))["MAX_REVISION"]) == ids.MAX_REVISION
