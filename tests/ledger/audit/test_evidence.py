"""Evidence in an audit: from folders, of all kinds of meters, and whatever is wrong with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.audit.evidence_files import (
    EvidenceFiles,
    EvidenceFilesError,
    PublicKeys,
    read_evidence,
    write_evidence,
)
from ledger.audit.evidence_rules import EvidenceRules
from ledger.audit.findings import Findings
from ledger.audit.guarantees import AnchorModel, AreaModel, DeviceModel, Guarantees
from ledger.audit.run import audit
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.devices import Device, DeviceKey, DeviceKind, metering_point
from ledger.evidence.evidence import DeviceTerms, Evidence
from ledger.evidence.tree import DayTree, day_of
from tests.ledger.audit import origins
from tests.ledger.audit.edited import EditedChain, Recording
from tests.ledger.evidence.makers import (
    CHAIN_ID,
    CHARGER_TERMS,
    MARKET,
    NOON,
    TERMS,
    measured,
    point,
    record,
    slots_of,
    substitute,
)
from tests.world import new_world

CHARGED = slots_of(
    [
        record(1, point(432, "10.0", "B"), point(900, "10.5", "T"), point(1_800, "12.5", "C")),
        record(2, point(2_700, "13.25", "E")),
        record(3, point(4_500, "13.25", "B")),
    ]
)
METERED = [measured(0, 100, 100), measured(1, 50, 150), substitute(2, 70)]
KEYS = PublicKeys(tuple(key for _, key in CHARGER_TERMS.keys.spans if key), TERMS.authority)


def device(terms: DeviceTerms) -> DeviceModel:
    key = DeviceKey.of(terms.keys.at(0))
    described = Device(
        device=terms.device, owner=b"\1" * 20, area=1, kind=DeviceKind.LOAD, nameplate_w=0, slot_length_s=900,
        metering_point=metering_point(str(terms.device)), key=key,
    )  # fmt: skip
    return DeviceModel(described, 0, [key])


def guarantees(evidence: list[Evidence]) -> Guarantees:
    """A chain on which all this is anchored, and recorded as consumption."""
    models = {terms.device: device(terms) for terms in (TERMS, CHARGER_TERMS)}
    found = Guarantees(areas=[AreaModel(MARKET, "here")], devices=models)
    for number in models:
        pieces = [each for each in evidence if each.device == number]
        tree = DayTree(number, day_of(NOON), pieces)
        found.anchors[number, tree.day] = AnchorModel(0, tree.root, tree.size)
        for each in pieces:
            id_ = int(CertificateId(each.slot, number, CertificateKind.CONSUMPTION))
            found.spent[id_] = (each.energy_wh, each.energy_wh)
    return found


def broken(evidence: list[Evidence], keys: PublicKeys = KEYS, *, held: Guarantees | None = None) -> set[str]:
    findings = Findings()
    rules = EvidenceRules(CHAIN_ID, held or guarantees([*METERED, *CHARGED]), {}, findings)
    rules.check(EvidenceFiles(evidence, keys))
    assert findings.checks
    return {finding.rule for finding in findings.found}


def test_compact_readings_ocmf_messages_and_substitutes_hold() -> None:
    assert broken([*METERED, *CHARGED]) == set()


def test_the_order_of_evidence_does_not_matter() -> None:
    assert broken([*CHARGED, *METERED][::-1]) == set()


def test_an_ecdsa_key_that_is_only_a_hash_on_chain_has_to_be_given() -> None:
    assert broken([*METERED, *CHARGED], replace(KEYS, meters=())) == {"evidence.key"}


def test_a_substitute_value_needs_the_authoritys_key() -> None:
    assert broken([*METERED, *CHARGED], PublicKeys(KEYS.meters)) == {"evidence.key"}


def test_more_energy_than_an_ocmf_message_says_is_found() -> None:
    changed = replace(CHARGED[1], energy_wh=2_001)
    assert {"evidence.reading", "evidence.root", "evidence.amount"} == broken(
        [*METERED, CHARGED[0], changed, *CHARGED[2:]]
    )


def test_an_ocmf_message_for_two_devices_is_found() -> None:
    assert "evidence.once" in broken([*METERED, *CHARGED, replace(CHARGED[2], device=TERMS.device)])


def test_days_without_any_evidence_are_found_if_the_device_has_some() -> None:
    held = guarantees([*METERED, *CHARGED])
    held.anchors[TERMS.device, day_of(NOON) + 1] = AnchorModel(0, b"\1" * 32, 96)
    assert broken([*METERED, *CHARGED], held=held) == {"evidence.leaves", "evidence.root"}
    assert broken(CHARGED, held=held) == set()


def test_what_was_issued_without_evidence_is_found() -> None:
    held = guarantees([*METERED, *CHARGED])
    held.spent[int(CertificateId(NOON + 9_000, TERMS.device, CertificateKind.CONSUMPTION))] = (5, 5)
    assert broken([*METERED, *CHARGED], held=held) == {"evidence.amount"}


# ------------------------------------------------------------------------------------------------- folders


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with new_world() as world:
        yield Recording(world, origins.tell(world))


def test_an_audit_reads_evidence_from_a_folder(recording: Recording, tmp_path: Path) -> None:
    chain = EditedChain(recording)
    write_evidence(tmp_path / "evidence", chain.evidence_files)
    found = audit(chain, chain.world.exchange.address, evidence=read_evidence(tmp_path / "evidence"))  # type: ignore[arg-type]
    without = audit(chain, chain.world.exchange.address)  # type: ignore[arg-type]
    assert found.findings == without.findings == ()
    assert found.checks > without.checks + 2 * len(chain.evidence)


def test_evidence_of_any_kind_comes_back_from_a_folder_as_it_was(tmp_path: Path) -> None:
    write_evidence(tmp_path, EvidenceFiles([*METERED, *CHARGED], KEYS))
    found = read_evidence(tmp_path)
    pieces = list(found.evidence)
    assert pieces == [*METERED, *CHARGED]
    assert [[said.source for said in each.statements] for each in pieces] == [
        [said.source for said in each.statements] for each in [*METERED, *CHARGED]
    ]
    assert found.keys == KEYS


def test_a_folder_without_keys_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceFilesError, match=r"public-keys\.json cannot be read"):
        read_evidence(tmp_path)


@pytest.mark.parametrize("line", ["", "{", "[]", '{"device": 7}'])
def test_a_line_that_is_no_evidence_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    write_evidence(tmp_path, EvidenceFiles(METERED[:1], KEYS))
    with (tmp_path / "device-7.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(EvidenceFilesError, match="line 2"):
        list(read_evidence(tmp_path).evidence)
