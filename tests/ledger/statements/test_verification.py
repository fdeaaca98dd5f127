"""What a statement is worth: each way of lying by itself, by whoever holds the key that signs for the issuer.

One thing: the verdicts of `verify`, a class for each reason behind one, all about the same town.
"""

import copy
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ledger.certificates.ids import CertificateKind
from ledger.chain import Address, Block, ChainError, ChainUnavailableError
from ledger.deployment import transact
from ledger.hexcodec import to_data
from ledger.jsonrpc import JsonRpcChain
from ledger.keys import Key
from ledger.statements.codec import from_plain, to_plain
from ledger.statements.errors import InvalidStatementError
from ledger.statements.files import Pages
from ledger.statements.model import Statement
from ledger.statements.pdf import PRODUCER, to_pdf
from ledger.statements.signing import sign
from ledger.statements.verdict import Outcome, Verdict
from ledger.statements.verification import verify
from tests.ledger.certificates.street import LOAD, PV, consumption, generation, stored
from tests.ledger.statements.town import SECOND, THIRD, Town
from tests.world import SLOT


def forged(verdict: Verdict) -> str:
    """The reasons why it is forged."""
    assert verdict.outcome is Outcome.FORGED, verdict
    return "\n".join(verdict.reasons)


def uncheckable(verdict: Verdict) -> str:
    """The reasons why it cannot be checked."""
    assert verdict.outcome is Outcome.UNCHECKABLE, verdict
    return "\n".join(verdict.reasons)


@pytest.mark.parametrize("number", [1, 3])
def test_a_statement_in_another_versions_format_is_no_forgery(old_town, number):
    other = to_plain(old_town.retirement()) | {"format": f"wattbook.statement/{number}"}
    assert f"format is 'wattbook.statement/{number}'" in uncheckable(old_town.verdict_on(other))


def changed(town: Town, member: int | None, path: str, value: Any, *, disclosure: bool = False) -> Verdict:
    """The verdict on a statement with another value in one place, signed again."""
    statement = town.disclosure(member) if disclosure else town.retirement(member or 0)
    plain = to_plain(statement)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    holder = plain
    for step in way:
        holder = holder[step]
    assert holder[last] != value
    holder[last] = value
    return town.verdict_on(plain)


class TestTrueStatements:
    def test_what_the_issuer_signs_is_valid(self, old_town):
        for statement in (old_town.retirement(), old_town.retirement(1), old_town.disclosure()):
            verdict = old_town.verdict(statement)
            assert (verdict.outcome, verdict.reasons, verdict.corrections) == (Outcome.VALID, (), ())
            assert verdict.signed.statement == statement
            assert verdict.head == old_town.world.chain.head().number

    def test_its_pdf_is_valid_too(self, old_town):
        verdict = verify(to_pdf(old_town.signed(old_town.disclosure(0))), old_town.world.chain)
        assert (verdict.outcome, verdict.pages) == (Outcome.VALID, Pages.SAME)

    def test_it_remains_valid_when_more_happens(self, town):
        statement = town.retirement()
        town.street.certify({PV: 700, LOAD: 100}, matches={(PV, LOAD): 100}, slot=SLOT + 2_700)
        assert town.verdict(statement).outcome is Outcome.VALID

    def test_it_is_valid_over_json_rpc(self, old_town):
        from ledger.devchain.rpc import create_app
        from tests.ledger.chain.serving import served

        token = old_town.signed(old_town.disclosure()).token.encode()
        with served(create_app(old_town.world.chain)) as url, closing(JsonRpcChain(url)) as chain:
            assert verify(token, chain).outcome is Outcome.VALID

    def test_a_chain_that_forgot_its_old_states_will_do(self, old_town):
        class Forgetful(type(old_town.world.chain)):  # type: ignore[misc]
            def call(self, to: Address, data: bytes, *, block_number: int | None = None, **more: Any) -> bytes:
                if block_number is not None:
                    raise ChainError("missing trie node")
                return super().call(to, data, **more)

        chain = copy.copy(old_town.world.chain)
        chain.__class__ = Forgetful
        token = old_town.signed(old_town.disclosure()).token.encode()
        assert verify(token, chain).outcome is Outcome.VALID


class TestForgedSignatures:
    def test_a_key_that_somebody_else_endorsed(self, old_town):
        stranger = old_town.world.strangers[0]
        statement = replace(old_town.retirement(), issuer=stranger.address)
        reason = forged(old_town.verdict_of(sign(statement, old_town.key(stranger))))
        assert to_data(stranger.address) in reason
        assert to_data(old_town.world.keys["issuer"].address) in reason

    def test_a_changed_byte(self, old_town):
        token = bytearray(old_town.signed(old_town.retirement()).token.encode())
        token[len(token) // 2] ^= 1
        forged(verify(bytes(token), old_town.world.chain))

    def test_something_else_altogether(self, old_town):
        forged(verify(b"Dear Sir or Madam", old_town.world.chain))


class TestFormerIssuers:
    @pytest.fixture
    def handed_over(self, town: Town) -> tuple[Town, Key, Key]:
        """The town after another issuer took over, the former and the present one."""
        former, present = town.world.keys["issuer"], town.world.strangers[0]
        devices = town.contracts.devices
        transact(devices, former, devices.interface.call("offer_role", 0, present.address))
        transact(devices, present, devices.interface.call("accept_role", 0))
        return town, former, present

    def test_what_it_signed_as_issuer_remains_valid(self, handed_over):
        town, former, _ = handed_over
        statement = town.retirement()
        assert statement.issuer == former.address
        assert town.verdict(statement).outcome is Outcome.VALID

    def test_it_cannot_sign_for_later_blocks(self, handed_over):
        town, former, _ = handed_over
        statement = replace(town.retirement(block=town.world.chain.head().number), issuer=former.address)
        assert to_data(former.address) in forged(town.verdict(statement))

    def test_its_successor_cannot_sign_for_earlier_blocks(self, handed_over):
        town, _, present = handed_over
        statement = replace(town.retirement(), issuer=present.address)
        assert to_data(present.address) in forged(town.verdict_of(town.signed(statement, present)))

    def test_its_successor_signs_for_later_blocks(self, handed_over):
        town, _, present = handed_over
        statement = town.retirement(block=town.world.chain.head().number)
        assert town.verdict_of(town.signed(statement, present)).outcome is Outcome.VALID

    def test_who_was_issuer_before_the_first_hand_over_is_asked_of_old_state(self, handed_over, monkeypatch):
        town, _, _ = handed_over
        token = town.signed(town.retirement()).token.encode()
        call = type(town.world.chain).call

        def forgetful(
            self: Any, to: Address, data: bytes, *, block_number: int | None = None, **more: Any
        ) -> bytes:
            if block_number is not None:
                raise ChainError("missing trie node")
            return call(self, to, data, **more)

        monkeypatch.setattr(type(town.world.chain), "call", forgetful)
        assert "missing trie node" in uncheckable(verify(token, town.world.chain))


class TestForgedContents:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("retirements.0.amount_wh", 701),
            ("retirements.0.origin", "self-consumed"),
            ("retirements.0.holder", "0x" + "01" * 20),
            ("retirements.0.beneficiary", "0x" + "01" * 20),
            ("retirements.0.certificate", to_plain(generation(PV, SECOND))),
            ("retirements.0.consumption", None),
            ("retirements.2.purpose", "disclosure"),
            ("retirements.2.country", "DE"),
            ("retirements.2.first_slot", 0),
            ("retirements.2.last_slot", None),
            ("retirements.2.text_hash", None),
            ("retirements.2.withdrawn", True),
            ("retirements.0.block", 1),
            ("retirements.0.time", 1),
            ("devices.0.technology", "T020001"),
            ("devices.0.nameplate_w", 1),
            ("devices.0.zone", "10Y"),
            ("devices.0.owner", "0x" + "01" * 20),
            ("imports.0.serial", "serial 2"),
            ("discharges.0.metered_wh", 1),
            ("discharges.0.parts.0.output_uwh", 1),
            ("discharges.0.parts.0.source", None),
            ("total_wh", 1_351),
            ("issuer", "0x" + "01" * 20),
        ],
    )
    def test_another_value_is_named_with_the_chains(self, old_town, path, value):
        reason = forged(changed(old_town, 0, path, value))
        where = path.split(".")[0]
        assert f"statement.{where}" in reason
        assert "by the chain" in reason

    def test_a_transaction_that_does_not_exist(self, old_town):
        nowhere = "0x" + "12" * 32
        reason = forged(changed(old_town, 0, "retirements.0.transaction", nowhere))
        assert f"transaction {nowhere} does not exist" in reason

    def test_a_chosen_transaction_that_does_not_exist(self, old_town):
        nowhere = "0x" + "12" * 32
        reason = forged(changed(old_town, 0, "scope.transactions", [nowhere]))
        assert f"transaction {nowhere} does not exist" in reason

    def test_a_retirement_that_is_left_out(self, old_town):
        plain = to_plain(old_town.retirement())
        del plain["retirements"][1]
        plain["total_wh"] -= 400
        assert "retirements has 3 entries, by the chain 4" in forged(old_town.verdict_on(plain))

    def test_a_retirement_that_is_counted_twice(self, old_town):
        plain = to_plain(old_town.retirement())
        plain["retirements"].append(plain["retirements"][0])
        plain["total_wh"] += 700
        assert "retirements has 5 entries, by the chain 4" in forged(old_town.verdict_on(plain))

    def test_the_retirements_of_somebody_else(self, old_town):
        other = to_data(old_town.street.member(1).address)
        forged(changed(old_town, 0, "scope.account", other))

    def test_the_retirements_of_another_period(self, old_town):
        forged(changed(old_town, 0, "scope.first_slot", THIRD))

    def test_retirements_where_there_are_none(self, old_town):
        assert "nothing was retired" in forged(changed(old_town, 0, "scope.account", "0x" + "01" * 20))

    def test_a_private_text_that_was_not_hashed(self, old_town):
        assert "has the text" in forged(changed(old_town, 0, "retirements.2.text", "Invoice 18"))

    def test_a_salt_that_was_not_hashed(self, old_town):
        assert "has the text" in forged(changed(old_town, 0, "retirements.2.salt", "0x" + "00" * 32))

    def test_a_salt_of_another_length(self, old_town):
        assert "salt" in forged(changed(old_town, 0, "retirements.2.salt", "0x00"))

    def test_a_text_without_its_salt(self, old_town):
        forged(changed(old_town, 0, "retirements.2.salt", None))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("disclosure.members", 3),
            ("disclosure.consumption_wh", 2_000),
            ("disclosure.matched_wh", 2_600),
            ("disclosure.retired_wh", 2_600),
            ("disclosure.claimed_wh", 2_600),
            ("disclosure.score_ppm", 1_000_000),
            ("disclosure.annual_ppm", 1_000_000),
            ("disclosure.pool_score_ppm", None),
            ("disclosure.shares.0.matched_wh", 1),
            ("disclosure.shares.0.technology", "T020001"),
            ("disclosure.flow.exported_wh", 0),
            ("disclosure.flow.held_wh", 0),
            ("disclosure.shares", []),
            ("total_wh", 1),
            ("scope.market", "0x" + "01" * 32),
        ],
    )
    def test_a_figure_of_a_disclosure(self, old_town, path, value):
        forged(changed(old_town, None, path, value, disclosure=True))

    def test_emissions_that_the_factors_do_not_give(self, old_town):
        plain = to_plain(old_town.disclosure(0, factors="NL/2023"))
        plain["disclosure"]["carbon"]["market_mg"] = 0
        assert "market_mg is 0" in forged(old_town.verdict_on(plain))

    def test_a_scope_that_no_statement_of_the_kind_has(self, old_town):
        forged(changed(old_town, 0, "scope.factors", "NL/2023"))

    def test_many_differences_are_not_all_told(self, old_town):
        plain = to_plain(old_town.retirement())
        for line in plain["retirements"]:
            line |= {
                "amount_wh": 1,
                "block": 1,
                "time": 1,
                "holder": "0x" + "01" * 20,
                "withdrawn": True,
                "origin": "bought",
            }
        assert "more differences" in forged(old_town.verdict_on(plain))


class TestForgedPlaces:
    def test_a_block_with_another_hash(self, old_town):
        assert "0x" + "00" * 32 in forged(changed(old_town, 0, "chain.block_hash", "0x" + "00" * 32))

    def test_a_block_with_another_time(self, old_town):
        assert "time" in forged(changed(old_town, 0, "chain.time", 1))

    def test_another_block(self, old_town):
        forged(changed(old_town, 0, "chain.block", old_town.block - 1))

    def test_an_address_without_a_contract(self, old_town):
        assert "no Exchange" in forged(changed(old_town, 0, "chain.exchange", "0x" + "01" * 20))

    def test_a_contract_that_is_no_exchange(self, old_town):
        credit = to_data(old_town.contracts.credit.address)
        assert "no Exchange" in forged(changed(old_town, 0, "chain.exchange", credit))

    def test_a_contract_that_answers_like_the_exchange_and_has_other_code(self, town):
        # A proxy (ERC-1167) that lets the Exchange's code answer.
        target = town.contracts.exchange.address
        runtime = bytes.fromhex("363d3d373d3d3d363d73") + target + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
        creation = bytes.fromhex(f"3d60{len(runtime):02x}80600a3d3981f3") + runtime
        proxy = deployed(town, creation)
        assert "the code of exchange" in forged(changed(town, 0, "chain.exchange", to_data(proxy)))

    @pytest.mark.parametrize("name", ["certificates", "devices"])
    def test_certificates_and_devices_of_another_exchange(self, old_town, name):
        reason = forged(changed(old_town, 0, f"chain.{name}", "0x" + "01" * 20))
        assert f"the Exchange's {name}" in reason

    def test_another_exchange_than_the_one_that_was_asked_for(self, old_town):
        statement = old_town.retirement()
        asked = old_town.contracts.exchange.address
        assert old_town.verdict(statement, exchange=asked).outcome is Outcome.VALID
        assert "not 0x0101" in forged(old_town.verdict(statement, exchange=b"\x01" * 20))


def deployed(town: Town, creation: bytes) -> bytes:
    """The address of a contract that some account creates."""
    from ledger.deployment import confirmed
    from ledger.transactions import build

    receipt = confirmed(
        town.world.chain, build(town.world.chain, town.world.strangers[1], to=None, data=creation).raw
    )
    assert receipt.contract_address is not None
    return receipt.contract_address


class TestForgedPages:
    def test_pages_of_another_statement_around_a_true_one(self, old_town):
        true = old_town.signed(old_town.retirement())
        other = old_town.signed(replace(old_town.retirement(), total_wh=9_999))
        pages = to_pdf(other).replace(other.token.encode(), true.token.encode())
        assert "pages" in forged(verify(pages, old_town.world.chain))

    def test_pages_that_cannot_be_compared_are_not_vouched_for(self, old_town):
        pdf = to_pdf(old_town.signed(old_town.retirement()))
        pdf = pdf.replace(PRODUCER.encode(), PRODUCER.replace("fpdf2", "other").encode())
        verdict = verify(pdf, old_town.world.chain)
        assert "render the statement anew" in uncheckable(verdict)

    def test_pages_that_cannot_be_compared_around_a_forged_statement(self, old_town):
        pdf = to_pdf(old_town.signed(replace(old_town.retirement(), total_wh=9_999)))
        pdf = pdf.replace(PRODUCER.encode(), PRODUCER.replace("fpdf2", "other").encode())
        forged(verify(pdf, old_town.world.chain))

    def test_a_pdf_without_a_statement(self, old_town):
        assert "attach" in uncheckable(verify(b"%PDF-1.7\n", old_town.world.chain))


class TestUncheckable:
    def test_another_chain(self, old_town):
        assert "has id" in uncheckable(changed(old_town, 0, "chain.chain_id", 5))

    def test_a_chain_that_has_not_come_so_far(self, old_town):
        ahead = old_town.world.chain.head().number + 1
        assert "ends at block" in uncheckable(changed(old_town, 0, "chain.block", ahead))

    def test_a_chain_that_breaks_off_anywhere(self, old_town):
        token = old_town.signed(old_town.disclosure()).token.encode()

        class Failing:
            """Passes on so many questions, and then none."""

            def __init__(self, patience: int) -> None:
                self.patience = patience

            def __getattr__(self, name: str) -> Any:
                if name in ("blocks", "transactions", "calls"):
                    raise AttributeError(name)  # no bulk reads: more questions to break off at
                self.patience -= 1
                if self.patience < 0:
                    raise ChainUnavailableError("connection lost")
                return getattr(old_town.world.chain, name)

        questions = 0
        while (verdict := verify(token, Failing(questions))).outcome is Outcome.UNCHECKABLE:
            assert "connection lost" in verdict.reasons[0]
            questions += 7
        assert verdict.outcome is Outcome.VALID
        assert questions > 50

    def test_a_chain_that_is_re_organised_meanwhile(self, old_town):
        token = old_town.signed(old_town.retirement()).token.encode()

        class Changing(type(old_town.world.chain)):  # type: ignore[misc]
            def block(self, number: int) -> Block | None:
                found: Block | None = super().block(number)
                is_before = found is not None and number == old_town.block - 1
                return replace(found, hash=b"\x01" * 32) if found is not None and is_before else found

            def blocks(self, numbers: list[int]) -> list[Block | None]:
                return [self.block(number) for number in numbers]

        chain = copy.copy(old_town.world.chain)
        chain.__class__ = Changing
        assert "re-organised" in uncheckable(verify(token, chain))


class TestCorrectedSince:
    def test_withdrawn_and_issued_again_with_a_shortfall(self, town):
        statement = town.retirement()
        town.street.issuer.withdraw(generation(PV), "meter fault")
        waiting = town.verdict(statement)
        assert waiting.outcome is Outcome.CORRECTED
        (correction,) = waiting.corrections
        assert (correction.certificate, correction.reason) == (generation(PV), "meter fault")
        assert (correction.issued_wh, correction.successor, correction.corrected_wh) == (2_000, None, None)

        town.street.issuer.reissue(generation(PV), 1_500)
        (correction,) = town.verdict(statement).corrections
        # 800, 700 and 150 had been retired by then.
        assert correction.successor == generation(PV, revision=1)
        assert (correction.corrected_wh, correction.shortfall_wh) == (1_500, 150)

    def test_a_certificate_that_charged_a_storage(self, town):
        statement = town.retirement()
        town.street.issuer.withdraw(generation(PV, SECOND), "meter fault")
        (correction,) = town.verdict(statement).corrections
        assert correction.certificate == generation(PV, SECOND)

    def test_a_storages_certificate(self, town):
        statement = town.retirement()
        town.street.issuer.withdraw(stored(THIRD), "meter fault")
        (correction,) = town.verdict(statement).corrections
        assert correction.certificate.kind is CertificateKind.STORED

    def test_the_consumption_of_a_disclosure(self, town):
        statement = town.disclosure(0)
        town.street.issuer.withdraw(consumption(LOAD, THIRD), "meter fault")
        (correction,) = town.verdict(statement).corrections
        assert correction.certificate == consumption(LOAD, THIRD)

    def test_a_corrected_pdf(self, town):
        pdf = to_pdf(town.signed(town.retirement()))
        town.street.issuer.withdraw(generation(PV), "meter fault")
        assert verify(pdf, town.world.chain).outcome is Outcome.CORRECTED

    def test_what_is_not_counted_does_not_matter(self, town):
        statement = town.retirement(1)
        town.street.issuer.withdraw(stored(THIRD), "meter fault")
        assert town.verdict(statement).outcome is Outcome.VALID

    def test_a_statement_of_a_later_block_tells_and_is_valid(self, town):
        town.street.issuer.withdraw(generation(PV), "meter fault")
        statement = town.retirement(block=town.world.chain.head().number)
        assert [line.withdrawn for line in statement.retirements] == [True, False, True, False]
        assert town.verdict(statement).outcome is Outcome.VALID


def _fields(statement: Statement) -> list[tuple[str | int, ...]]:
    """The paths of all fields but the scope's: another scope may well be borne out by the same retirements."""
    return [path for path in _leaves(to_plain(statement)) if path[0] != "scope"]


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [each for name in value for each in _leaves(value[name], (*path, name))]
    if isinstance(value, list):
        return [path, *(each for place, item in enumerate(value) for each in _leaves(item, (*path, place)))]
    return [path]


OTHER_VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**41),
    bool: st.booleans(),
    str: st.text(max_size=5) | st.binary(min_size=20, max_size=20).map(to_data) | st.just("0x" + "00" * 32),
    type(None): st.integers(0, 5) | st.text(max_size=3) | st.just("0x" + "00" * 32),
    list: st.just([]),
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_field_can_be_changed_even_by_who_holds_the_signing_key(old_town, data):
    statement = data.draw(st.sampled_from([old_town.retirement(), old_town.disclosure(factors="NL/2023")]))
    plain = to_plain(statement)
    path = data.draw(st.sampled_from(_fields(statement)))
    holder = plain
    for step in path[:-1]:
        holder = holder[step]
    value = data.draw(OTHER_VALUES[type(holder[path[-1]])] | st.none())
    assume(value != holder[path[-1]])
    holder[path[-1]] = value
    try:
        from_plain(Statement, plain, "statement")
    except InvalidStatementError:
        return  # not even a statement
    assert old_town.verdict_on(plain).outcome in (Outcome.FORGED, Outcome.UNCHECKABLE), path


def test_a_registry_of_ones_own_is_valid_unless_the_right_one_is_asked_for(old_town):
    """Why `exchange` is there: the same code, deployed by somebody else, with an issuer of its own."""
    from tests.ledger.statements.town import new_town

    with new_town() as other:
        theirs = other.signed(other.retirement())
        assert verify(theirs.token.encode(), other.world.chain).outcome is Outcome.VALID
        asked = b"\x0e" * 20
        forged(verify(theirs.token.encode(), other.world.chain, exchange=asked))
