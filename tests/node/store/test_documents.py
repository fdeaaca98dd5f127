from node.store import Store
from node.store.records import PrivateText
from tests.node.parts import ALICE, BOB


def test_a_statement_is_kept_once_and_numbered(store: Store) -> None:
    first = store.add_statement(b"\1" * 32, "one", 10)
    assert store.add_statement(b"\1" * 32, "one", 20) == first
    second = store.add_statement(b"\2" * 32, "two", 20)
    assert (first.number, second.number) == (0, 1)
    assert store.statement(b"\2" * 32) == second
    assert store.statement(b"\3" * 32) is None
    assert store.statements() == [second, first]
    assert store.statements(limit=1) == [second]
    assert store.statements(before=1) == [first]


def test_a_private_text_is_its_accounts(store: Store) -> None:
    text = PrivateText(b"\1" * 32, ALICE.address, "for the bakery", b"\2" * 32)
    for _ in range(2):
        store.add_private_text(text)
    assert store.private_texts(ALICE.address) == [text]
    assert store.private_texts(BOB.address) == []
