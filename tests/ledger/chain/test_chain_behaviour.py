"""What every chain does, whichever adapter it is reached through."""

import secrets

import pytest

from ledger.chain import CallRevertedError, Chain, Hash, Log, TransactionRefusedError
from ledger.devchain import dev_accounts
from tests.ledger.chain import contract
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import CLEARED, NOTED, calldata, clear, notes, set_note, word

NOBODY = b"\x99" * 20
A_HASH: Hash = b"\x77" * 32
STRANGER = dev_accounts(60)[-1]
"""Has a key, but no money on any chain."""


def address_topic(address: bytes) -> bytes:
    return bytes(12) + address


def test_the_head_grows_by_one_linked_block_per_transaction(chain: Chain, alice: Actor) -> None:
    before = chain.head()
    sent = alice.send(NOBODY, value=1)
    head = chain.head()
    assert head.number == before.number + 1
    assert head.parent_hash == before.hash
    assert head.timestamp >= before.timestamp  # several blocks of anvil's may share a second
    assert head.transaction_hashes == (sent,)
    assert head.gas_used == 21_000
    assert head.base_fee_wei > 0
    assert chain.block(head.number) == head
    assert chain.block(before.number) == before


def test_a_block_that_is_not_there_yet_is_none(chain: Chain) -> None:
    assert chain.block(chain.head().number + 1) is None


def test_a_transfer_moves_money_and_counts_as_the_senders_next_nonce(chain: Chain, alice: Actor) -> None:
    nonce, balance = chain.nonce(alice.address), chain.balance(alice.address)
    receipt = alice.transact(NOBODY, value=123)
    assert receipt.succeeded
    assert receipt.logs == ()
    assert receipt.contract_address is None
    assert chain.nonce(alice.address) == nonce + 1
    assert chain.balance(NOBODY) == 123
    assert chain.balance(alice.address) < balance - 123
    assert chain.nonce(NOBODY) == 0


def test_a_mined_transaction_is_found_by_its_hash(chain: Chain, alice: Actor, notebook: bytes) -> None:
    sent = alice.send(notebook, set_note(1, 2), gas=200_000)
    found = chain.transaction(sent)
    assert found is not None
    assert (found.hash, found.sender, found.to) == (sent, alice.address, notebook)
    assert (found.input, found.value_wei, found.gas) == (set_note(1, 2), 0, 200_000)
    assert found.nonce == chain.nonce(alice.address) - 1
    assert found.block_number == chain.head().number


def test_legacy_transactions_are_taken_too(chain: Chain, alice: Actor) -> None:
    receipt = alice.transact(NOBODY, value=5, gasPrice=10**10)
    assert receipt.succeeded
    assert chain.balance(NOBODY) == 5


def test_an_unknown_hash_has_neither_transaction_nor_receipt(chain: Chain) -> None:
    assert chain.transaction(A_HASH) is None
    assert chain.receipt(A_HASH) is None


def test_a_creation_reports_where_the_code_lives(chain: Chain, alice: Actor) -> None:
    receipt = alice.transact(None, contract.bytecode())
    assert receipt.succeeded
    assert receipt.contract_address is not None
    code = chain.code(receipt.contract_address)
    assert code
    assert code in contract.bytecode()
    assert chain.code(alice.address) == b""
    created = chain.transaction(receipt.transaction_hash)
    assert created is not None
    assert created.to is None


def test_a_receipt_carries_the_logs_as_emitted(chain: Chain, alice: Actor, notebook: bytes) -> None:
    receipt = alice.transact(notebook, set_note(7, 70))
    head = chain.head()
    assert receipt.block_hash == head.hash
    assert receipt.gas_used == head.gas_used
    assert receipt.logs == (
        Log(
            address=notebook,
            topics=(NOTED, address_topic(alice.address), word(7)),
            data=word(70),
            block_number=head.number,
            block_hash=head.hash,
            transaction_hash=receipt.transaction_hash,
            transaction_index=0,
            log_index=0,
        ),
    )


def test_a_call_reads_the_head_and_any_earlier_block(chain: Chain, alice: Actor, notebook: bytes) -> None:
    first = alice.transact(notebook, set_note(1, 10)).block_number
    alice.transact(notebook, set_note(1, 11))
    assert chain.call(notebook, notes(1)) == word(11)
    assert chain.call(notebook, notes(1), block_number=first) == word(10)
    assert chain.call(notebook, notes(1), block_number=first - 1) == word(0)


def test_a_call_changes_nothing(chain: Chain, notebook: bytes) -> None:
    head = chain.head()
    assert chain.call(notebook, set_note(1, 10)) == b""
    assert chain.call(notebook, notes(1)) == word(0)
    assert chain.head() == head


def test_a_caller_needs_no_money(chain: Chain, notebook: bytes) -> None:
    assert chain.call(notebook, set_note(1, 10), sender=NOBODY) == b""


def test_a_call_to_an_address_without_code_returns_nothing(chain: Chain) -> None:
    assert chain.call(NOBODY, notes(1)) == b""


def test_contracts_see_the_chain_id(chain: Chain, notebook: bytes) -> None:
    assert chain.call(notebook, calldata("chain()")) == word(chain.chain_id)


def test_contracts_see_earlier_block_hashes(chain: Chain, alice: Actor, notebook: bytes) -> None:
    for _ in range(3):
        alice.send(NOBODY)
    head = chain.head()
    earlier = chain.block(head.number - 2)
    assert earlier is not None
    wanted = calldata("hash_of(uint256)", earlier.number)
    assert chain.call(notebook, wanted, block_number=head.number) == earlier.hash


@pytest.mark.parametrize(
    ("data", "reason"),
    [(set_note(1, 1_000), "notes: too large"), (clear(1), "")],
    ids=["with a reason", "without"],
)
def test_a_refused_call_or_estimate_tells_the_reason(
    chain: Chain, alice: Actor, notebook: bytes, data: bytes, reason: str
) -> None:
    with pytest.raises(CallRevertedError) as refused_call:
        chain.call(notebook, data)
    assert refused_call.value.reason == reason
    with pytest.raises(CallRevertedError) as refused_estimate:
        chain.estimate_gas(notebook, data, sender=alice.address)
    assert refused_estimate.value.reason == reason


def test_a_call_that_fails_without_reverting_raises_as_well(chain: Chain, notebook: bytes) -> None:
    with pytest.raises(CallRevertedError):
        chain.call(notebook, calldata("impossible()"))


def test_a_reverted_transaction_is_mined_and_costs_gas_but_changes_nothing(
    chain: Chain, alice: Actor, notebook: bytes
) -> None:
    nonce = chain.nonce(alice.address)
    receipt = alice.transact(notebook, set_note(1, 1_000))
    assert not receipt.succeeded
    assert receipt.logs == ()
    assert receipt.gas_used > 21_000
    assert chain.nonce(alice.address) == nonce + 1
    assert chain.call(notebook, notes(1)) == word(0)


def test_an_estimate_is_enough_and_not_much_more(chain: Chain, alice: Actor, notebook: bytes) -> None:
    alice.transact(notebook, set_note(1, 10))
    for to, data in [
        (NOBODY, b""),
        (notebook, set_note(2, 20)),
        (notebook, clear(1)),
        (None, contract.bytecode()),
    ]:
        gas = chain.estimate_gas(to, data, sender=alice.address)
        receipt = alice.transact(to, data, gas=gas)
        assert receipt.succeeded
        # Clearing gets a fifth of its gas back (EIP-3529), but must be given it first.
        assert receipt.gas_used <= gas <= receipt.gas_used * 5 // 4 * 102 // 100


def test_refused_transactions_leave_the_chain_alone(chain: Chain, alice: Actor) -> None:
    known = alice.sign(NOBODY, value=1)
    alice.broadcast(known)
    head = chain.head()
    nonce = chain.nonce(alice.address)
    stranger = Actor(chain, STRANGER)
    refused = {
        "nonce too low": alice.sign(NOBODY, nonce=nonce - 1, value=2),
        "insufficient funds": stranger.sign(NOBODY, value=1),
        "intrinsic gas too low": alice.sign(NOBODY, gas=20_999),
        "": alice.sign(NOBODY, chainId=chain.chain_id + 1),
    }
    for reason, raw in refused.items():
        with pytest.raises(TransactionRefusedError) as error:
            chain.send(raw)
        assert reason in error.value.reason.lower()
    for raw in (known, b"", b"\x02", b"\xc0", b"\x02\xc0", known[:-1], known + b"\x00", secrets.token_bytes(100)):
        with pytest.raises(TransactionRefusedError):
            chain.send(raw)
    assert chain.head() == head


def test_logs_are_filtered_by_block_address_and_topics(chain: Chain, alice: Actor, bob: Actor) -> None:
    here, there = alice.deploy(), alice.deploy()
    sent = [
        alice.transact(here, set_note(1, 10)),
        bob.transact(here, set_note(2, 20)),
        bob.transact(there, set_note(1, 30)),
        alice.transact(here, clear(1)),
        alice.transact(here, set_note(3, 1_000)),  # reverts, so it logs nothing
    ]
    first, last = sent[0].block_number, sent[-1].block_number

    def found(**criteria: object) -> list[int]:
        logs = chain.logs(**({"first_block": first, "last_block": last} | criteria))  # type: ignore[arg-type]
        assert all(log in sent[log.block_number - first].logs for log in logs)
        return [log.block_number - first for log in logs]

    assert found() == [0, 1, 2, 3]
    assert found(address=here) == [0, 1, 3]
    assert found(address=[here, there]) == [0, 1, 2, 3]
    assert found(topics=[NOTED]) == [0, 1, 2]
    assert found(topics=[[NOTED, CLEARED]], address=here) == [0, 1, 3]
    assert found(topics=[NOTED, address_topic(bob.address)]) == [1, 2]
    assert found(topics=[NOTED, None, word(1)]) == [0, 2]
    assert found(topics=[None, None, [word(2), word(3)]]) == [1]
    assert found(topics=[CLEARED, word(1), None]) == []
    assert found(topics=[NOTED], first_block=first + 1, last_block=first + 1) == [1]
    assert found(first_block=last + 1, last_block=last) == []
    assert found(last_block=last + 100) == [0, 1, 2, 3]
    assert found(address=NOBODY) == []
