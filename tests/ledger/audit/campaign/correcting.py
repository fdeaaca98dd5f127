"""Corrections and imports that hide something, and chains that lie about what came of it."""

from random import Random

from tests.contracts.devices import token_id
from tests.ledger.audit.campaign.kind import Damage, Kind, is_issuance, numbers, people, pick
from tests.ledger.audit.changes import plus, with_fields
from tests.ledger.audit.edited import Arguments, EditedChain
from tests.ledger.audit.origins import PANELS


def skipped_withdrawal(c: EditedChain, turn: int, _: Random) -> None:
    c.drop("Withdrawn", turn)


def moved_after_withdrawal(c: EditedChain, turn: int, random: Random) -> None:
    holder = c.town.member(1)
    certificate = token_id(PANELS, c.town.slots[(3, 5)[turn % 2]])
    c.insert(
        "certificates", "TransferSingle", ("ApprovalForAll", 0), _operator=holder, _from=holder,
        _to=pick(people(c), turn), _id=certificate, _value=random.randrange(1, 100),
    )  # fmt: skip


def is_revision(arguments: Arguments) -> bool:
    return is_issuance(arguments) and arguments["_id"] & 255 > 0


def wrong_amount(c: EditedChain, turn: int, random: Random) -> None:
    """Both events of the new issuance agree."""
    more_wh = random.randrange(1, 200) + turn
    c.edit("TransferSingle", pick(numbers(c, "TransferSingle", is_revision), turn), _value=plus(more_wh))
    c.edit("Reissued", turn % 3, issued_wh=plus(more_wh))


def hidden_shortfall(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Reissued", 0, shortfall_wh=0 if turn == 0 else random.randrange(1, 100))


def unpaid_debt(c: EditedChain, turn: int, random: Random) -> None:
    """Nothing, or less than was owed, was given before the next issuance."""
    if turn == 0:
        c.drop("DebtPaid")
    else:
        c.edit("DebtPaid", amount_wh=100 - random.randrange(1, 30) - 30 * (turn - 1))


def wrongly_frozen(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Withdrawn", turn % 2, frozen_wh=plus(random.randrange(1, 1_000)))


def imported_twice(c: EditedChain, turn: int, _: Random) -> None:
    serial = ("E-1", "E-2")[turn]
    c.edit("Imported", 1 - turn, details=with_fields(serial=serial))


def imported_from_nowhere(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Imported", turn % 2, details=with_fields(area=random.randrange(10, 65_536)))


def imported_otherwise(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Imported", turn % 2, details=with_fields(amount_wh=random.randrange(1_001, 10**6)))


def decided_twice(c: EditedChain, turn: int, _: Random) -> None:
    c.repeat("RequestDecided", turn, approved=lambda approved: not approved)


def lying(contract: str, view: str) -> Damage:
    """Storage is not what the events lead to."""

    def damage(c: EditedChain, turn: int, random: Random) -> None:
        more = random.randrange(1, 10**6) + turn
        if view == "state_of":
            name = pick(("issued_wh", "held_by_owner_wh", "retired_wh"), turn)
            c.answer(contract, view, lambda record: {**record, name: record[name] + more})
        else:
            c.answer(contract, view, plus(more))

    return damage


KINDS = (
    Kind("re-issued without a withdrawal", 2, "certificate.revision", skipped_withdrawal),
    Kind("moved after its withdrawal", 5, "certificate.withdrawn", moved_after_withdrawal),
    Kind("re-issued too much", 5, "correct.amount", wrong_amount),
    Kind("shortfall hidden", 3, "correct.shortfall", hidden_shortfall),
    Kind("debt not paid", 4, "debt.first", unpaid_debt),
    Kind("frozen otherwise than it is logged", 2, "correct.frozen", wrongly_frozen),
    Kind("imported twice under one serial number", 2, "import.serial", imported_twice),
    Kind("imported from no known area", 2, "import.area", imported_from_nowhere),
    Kind("imported less than was issued", 3, "import.issued", imported_otherwise),
    Kind("decided twice", 2, "decide.once", decided_twice),
    Kind("records that differ from the events", 3, "storage.record", lying("certificates", "state_of")),
    Kind("holdings that differ from the events", 1, "storage.held", lying("certificates", "balanceOf")),
    Kind("claims that differ from the events", 1, "storage.claimed", lying("certificates", "claimedBalanceOf")),
    Kind("debts that differ from the events", 1, "storage.owed", lying("issuance", "debt_of")),
)
