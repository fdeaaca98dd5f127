"""Compares the replayed model with what the contracts' getters say at the same block."""

from collections.abc import Iterator
from itertools import islice

from ledger import merkle
from ledger.audit.findings import Findings
from ledger.audit.model import Model
from ledger.deployment import Contracts
from ledger.market import read_account, read_position

_SLOT_STATES = {"open": 0, "settled": 1, "delivered": 2, "voided": 3}
_BATCH = 128


def compare(contracts: Contracts, model: Model, findings: Findings, block_number: int) -> None:
    """Every account, position, slot, book and certificate of the model against the chain's storage."""
    exchange = contracts.exchange
    for account, expected in sorted(model.accounts.items()):
        where = f"account 0x{account.hex()}"
        found = read_account(contracts, account, block_number=block_number)
        findings.check("storage.balance", where, expected=expected.balance_nano, found=found.balance_nano)
        findings.check("storage.debt", where, expected=expected.debt_nano, found=found.debt_nano)
        epochs = (expected.epoch, expected.epoch_from_slot)
        findings.check("storage.epoch", where, expected=epochs, found=(found.epoch, found.epoch_from_slot))
        findings.check("storage.market", where, expected=expected.market, found=found.market)
    for (account, slot), position in sorted(model.positions.items()):
        where = f"position of 0x{account.hex()} in slot {slot}"
        stored = read_position(contracts, account, slot, block_number=block_number)
        findings.check("storage.position", where, expected=position, found=stored)
    for state in model.slots.values():
        where = f"slot {state.slot}"
        stored = exchange.read("slot_of", state.market, state.slot, block_number=block_number)["state"]
        findings.check("storage.slot", where, expected=_SLOT_STATES[state.state], found=stored)
        if state.book_root is not None:
            book = exchange.read("books", state.market, state.slot, block_number=block_number)
            committed = merkle.commitment(state.book_root, state.book_size)
            findings.check("storage.book", where, expected=committed, found=book)
    escrow = contracts.credit.read("balanceOf", contracts.escrow.address, block_number=block_number)
    # Credits that were sent to the contract without a deposit belong to nobody: more is harmless, less is not.
    findings.require(
        "storage.escrow", "all accounts", escrow >= model.credits_nano, expected=f"{model.credits_nano} or more",
        found=escrow,
    )  # fmt: skip
    _compare_certificates(contracts, model, findings, block_number)


def _compare_certificates(contracts: Contracts, model: Model, findings: Findings, block_number: int) -> None:
    certificates = contracts.certificates
    holdings = (
        (account, certificate, amount)
        for certificate, state in sorted(model.certificates.items())
        for account, amount in sorted(state.held_wh.items())
    )
    for batch in _batches(holdings):
        owners, ids, expected = zip(*batch, strict=True)
        found = certificates.read("balanceOfBatch", owners, ids, block_number=block_number)
        for owner, certificate, amount, stored in zip(owners, ids, expected, found, strict=True):
            where = f"certificate {certificate:#x} of 0x{owner.hex()}"
            findings.check("storage.certificate", where, expected=amount, found=stored)
    for certificate, state in sorted(model.certificates.items()):
        where = f"certificate {certificate:#x}"
        for name, amount in (("issued_of", state.issued_wh), ("retired_of", sum(state.retired_wh.values()))):
            stored = certificates.read(name, certificate, block_number=block_number)
            findings.check(f"storage.{name}", where, expected=amount, found=stored)


def _batches(holdings: Iterator[tuple[bytes, int, int]]) -> Iterator[list[tuple[bytes, int, int]]]:
    while batch := list(islice(holdings, _BATCH)):
        yield batch
