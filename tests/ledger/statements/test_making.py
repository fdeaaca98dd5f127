from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.certificates import actions
from ledger.certificates.claims import Claim, ClaimError, Purpose
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.selection import Part
from ledger.coverage import matching
from ledger.coverage.claims import Claims
from ledger.coverage.periods import Period
from ledger.statements.building import Words
from ledger.statements.disclosing import by_members, pool
from ledger.statements.errors import CannotStateError, InvalidStatementError
from ledger.statements.making import make
from ledger.statements.model import Flow, Kind, Origin, Share
from tests.ledger.certificates.street import BATTERY, LOAD, PV, generation
from tests.ledger.statements.town import END, SECOND, THIRD, WORDS
from tests.world import SLOT

SOLAR = ("T010100", "F01040100")
WIND = ("T020001", "F01050100")


def test_a_retirement_statement_names_every_certificate_retired_for_the_account(old_town):
    statement = old_town.retirement()
    lines = [(line.certificate.kind, line.origin, line.amount_wh, line.purpose) for line in statement.retirements]
    assert lines == [
        (CertificateKind.GENERATION, Origin.BOUGHT, 700, None),
        (CertificateKind.STORED, Origin.STORAGE, 400, None),
        (CertificateKind.GENERATION, Origin.BOUGHT, 150, "consumption"),
        (CertificateKind.IMPORTED, Origin.IMPORTED, 100, "consumption"),
    ]
    assert statement.total_wh == 1_350
    assert [device.device for device in statement.devices] == [PV, BATTERY]
    assert [(each.registry, each.serial) for each in statement.imports] == [("NO-STATNETT", "serial 1")]
    (discharge,) = statement.discharges
    assert [(part.source, part.output_uwh) for part in discharge.parts] == [(generation(PV, SECOND), 500_000_000)]


def test_what_a_member_generated_and_consumed_itself_is_named_as_such(old_town):
    (line,) = old_town.retirement(1).retirements
    assert (line.origin, line.amount_wh, line.holder) == (Origin.SELF_CONSUMED, 800, line.beneficiary)


def test_a_statement_of_chosen_transactions_has_only_what_they_retired(old_town):
    statement = old_town.retirement(transactions=(old_town.declared_in,))
    assert [line.amount_wh for line in statement.retirements] == [150, 100]
    assert {line.transaction for line in statement.retirements} == {old_town.declared_in}


def test_a_statement_of_a_period_has_only_certificates_of_its_slots(old_town):
    statement = make(
        old_town.contracts, Kind.RETIREMENT, old_town.scope(0, first_slot=THIRD), block=old_town.block
    )
    assert [line.amount_wh for line in statement.retirements] == [400]


def test_a_private_text_is_in_the_statement_only_if_it_is_revealed(old_town):
    told = old_town.retirement().retirements[2]
    assert (told.text, told.salt) == (WORDS.text, WORDS.salt)
    silent = make(old_town.contracts, Kind.RETIREMENT, old_town.scope(0), block=old_town.block).retirements[2]
    assert (silent.text, silent.salt, silent.text_hash) == (None, None, told.text_hash)


def test_a_statement_is_of_its_block_whatever_happens_later(town):
    before = make(town.contracts, Kind.RETIREMENT, town.scope(0), block=town.block, revealed=[WORDS])
    town.street.act(
        0,
        actions.transfer(town.contracts, town.street.member(0).address, b"\x01" * 20, [Part(generation(PV), 10)]),
    )
    town.street.issuer.withdraw(generation(PV), "meter fault")
    assert make(town.contracts, Kind.RETIREMENT, town.scope(0), block=town.block, revealed=[WORDS]) == before


@pytest.mark.parametrize(
    ("member", "changes", "message"),
    [
        (3, {}, "nothing was retired"),
        (0, {"first_slot": END, "end_slot": END + 900}, "nothing was retired"),
        (1, {"transactions": (b"\x01" * 32,)}, "nothing was retired"),
    ],
)
def test_where_nothing_was_retired_there_is_nothing_to_state(old_town, member, changes, message):
    with pytest.raises(CannotStateError, match=message):
        old_town.retirement(member, **changes)


def test_a_chosen_transaction_that_retired_nothing_is_named(old_town):
    scope = old_town.scope(0, transactions=tuple(sorted([old_town.declared_in, b"\x01" * 32])))
    with pytest.raises(CannotStateError, match="0x" + "01" * 32):
        make(old_town.contracts, Kind.RETIREMENT, scope, block=old_town.block)


@pytest.mark.parametrize("words", [replace(WORDS, text="another"), replace(WORDS, salt=bytes(32))])
def test_a_text_that_the_chain_has_no_hash_of_is_refused(old_town, words):
    with pytest.raises(CannotStateError, match="has the text"):
        make(old_town.contracts, Kind.RETIREMENT, old_town.scope(0), block=old_town.block, revealed=[words])


def test_a_salt_of_another_length_is_refused(old_town):
    with pytest.raises(ClaimError, match="salt"):
        make(
            old_town.contracts, Kind.RETIREMENT, old_town.scope(0), block=old_town.block, revealed=[Words("", b"")]
        )


def test_a_disclosure_counts_consumption_and_what_covers_it(old_town):
    found = old_town.disclosure(0).disclosure
    # Delivered 1,200 in the first slot, 600 metered in the third: 700 and 400 of it are matched; 150 and an import
    # of 100 were retired by hand, and cover nothing.
    assert (found.consumption_wh, found.retired_wh, found.matched_wh) == (1_800, 1_100, 1_100)
    assert found.claimed_wh == 250
    assert found.score_ppm == found.annual_ppm == 1_100 * 1_000_000 // 1_800
    assert found.shares == (Share(Origin.BOUGHT, *SOLAR, 700), Share(Origin.STORAGE, *SOLAR, 400))
    assert found.flow == Flow(250, 200, 0, 250, 0, 0, 0, 0, 200)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_is_retired_by_hand_covers_no_consumption_whatever_its_purpose(town, purpose):
    before = town.disclosure(0).disclosure
    town.street.act(
        0, actions.retire(town.contracts, [Part(generation(PV), 40)], Claim(purpose, "NL", SLOT, SLOT))
    )
    found = town.disclosure(0, block=town.world.chain.head().number).disclosure
    flow = replace(before.flow, retired_wh=before.flow.retired_wh + 40, held_wh=before.flow.held_wh - 40)
    assert found == replace(before, claimed_wh=before.claimed_wh + 40, flow=flow)


def test_consumption_counts_as_its_certificates_were_corrected(town):
    before = town.disclosure(0).disclosure
    load = CertificateId(SLOT, LOAD, CertificateKind.CONSUMPTION)
    # Delivered were 1,200 Wh, of which its load is known to have taken 1,000; 700 of it are matched.
    for corrected_wh in (1_500, 600, 1_000):
        town.street.issuer.withdraw(load, "meter fault")
        load = town.street.issuer.reissue(load, corrected_wh)
        found = town.disclosure(0, block=town.world.chain.head().number).disclosure
        assert found.consumption_wh == before.consumption_wh + corrected_wh - 1_000
        assert found.matched_wh == before.matched_wh


def test_a_communitys_disclosure_adds_up_its_members(old_town):
    found = old_town.disclosure().disclosure
    assert found.members == 4
    # What charged the battery is no final consumption; what it gave is covered with its origin.
    assert found.consumption_wh == 1_200 + 800 + 600
    assert found.matched_wh == 700 + 800 + 400
    assert found.claimed_wh == 250
    assert {share.origin: share.matched_wh for share in found.shares} == {
        Origin.SELF_CONSUMED: 800,
        Origin.BOUGHT: 700,
        Origin.STORAGE: 400,
    }
    flow = found.flow
    assert (flow.issued_wh, flow.received_wh, flow.given_wh) == (2_000 + 1_500 + 500 + 250, 0, 50)
    assert (flow.retired_wh, flow.stored_wh, flow.exported_wh) == (800 + 700 + 400 + 250, 900, 60)
    assert flow.held_wh == flow.issued_wh - 50 - flow.retired_wh - 900 - 60


SLOTS = st.dictionaries(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([0, 900, 1_800])), st.integers(0, 2_000)
)


@given(SLOTS, SLOTS)
def test_scores_are_those_of_the_coverage_package(consumption, claimed):
    arrays = np.zeros((2, 3, 3), dtype=np.int64)
    for place, values in enumerate((consumption, claimed)):
        for (account, slot), amount_wh in values.items():
            arrays[place, b"abc".index(account), slot // 900] = amount_wh
    claims = Claims(("a", "b", "c"), np.array([0, 900, 1_800], dtype=np.int64), 900, *arrays)
    whole = (Period("whole", 0, 3),)
    assert by_members(consumption, claimed) == matching.by_members(claims, whole).at(0, 0)
    assert pool(consumption, claimed) == matching.pool(claims, whole).at(0, 0)


def test_expired_certificates_are_told_apart_from_those_still_held(town):
    lifetime_s = town.contracts.certificates.read("lifetime_s")
    town.world.at(SLOT + lifetime_s)
    flow = town.disclosure(1, block=town.mine()).disclosure.flow
    # Of the first slot 250 were left, of the second 540.
    assert (flow.expired_wh, flow.held_wh) == (250, 540)


def test_withdrawn_certificates_are_told_apart_from_those_still_held(town):
    town.street.issuer.withdraw(generation(PV, SECOND), "meter fault")
    head = town.world.chain.head().number
    flow = town.disclosure(1, block=head).disclosure.flow
    assert (flow.frozen_wh, flow.held_wh) == (540, 250)


def test_emissions_follow_both_methods_with_named_factors(old_town):
    carbon = old_town.disclosure(0, factors="NL/2023").disclosure.carbon
    assert carbon.location_mg == 1_800 * carbon.location_mg_per_wh
    assert carbon.market_mg == (1_800 - 1_100) * carbon.residual_mg_per_wh
    assert carbon.factors.startswith("NL 2023: ")
    assert old_town.disclosure(0).disclosure.carbon is None


@pytest.mark.parametrize("factors", ["NL", "NL/", "NL/x", "NL/1990", "ZZ/2023"])
def test_factors_that_are_not_known_are_refused(old_town, factors):
    with pytest.raises(CannotStateError):
        old_town.disclosure(0, factors=factors)


def test_an_unknown_market_has_nothing_to_disclose(old_town):
    scope = old_town.scope(None, market=b"\x01" * 32)
    with pytest.raises(CannotStateError, match="no devices"):
        make(old_town.contracts, Kind.DISCLOSURE, scope, block=old_town.block)


@pytest.mark.parametrize(
    ("kind", "member", "changes", "revealed"),
    [
        (Kind.RETIREMENT, None, {}, []),
        (Kind.RETIREMENT, 0, {"factors": "NL/2023"}, []),
        (Kind.DISCLOSURE, 0, {"transactions": (b"\x01" * 32,)}, []),
        (Kind.DISCLOSURE, 0, {}, [WORDS]),
    ],
)
def test_a_scope_that_its_kind_would_not_heed_is_refused(old_town, kind, member, changes, revealed):
    with pytest.raises(InvalidStatementError):
        make(old_town.contracts, kind, old_town.scope(member, **changes), block=old_town.block, revealed=revealed)
