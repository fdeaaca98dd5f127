"""The contract follows a path through a book exactly as `ledger.merkle` does, for books of every shape."""

import pytest
from eth_hash.auto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import merkle
from tests.contracts.chunks import reason_of
from tests.contracts.disputes import challenge_missing
from tests.world import MARKET, SLOT, World, one_world_for_a_test, refused

ORDER = b"\x55" * 32
LARGEST = 70


def book_with_order_at(index: int, size: int) -> list[bytes]:
    """A book that has the challenged order in this place; the contract does not care that it ascends."""
    return [ORDER if place == index else place.to_bytes(32, "big") for place in range(size)]


class Court:
    """A world with an open challenge, whose slot is given one book after the other.

    The books are written into the exchange's storage: an honest number of calls commits only one.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        world.commit()
        self.number = challenge_missing(world, ORDER)
        self.storage_key = self._storage_key_of_book()

    def _storage_key_of_book(self) -> int:
        wanted = merkle.commitment(bytes(32), 0)
        address = self.world.exchange.address
        for base in range(64):
            outer = keccak(base.to_bytes(32, "big") + MARKET)
            inner = int.from_bytes(keccak(outer + SLOT.to_bytes(32, "big")), "big")
            if self.world.chain.storage(address, inner) == int.from_bytes(wanted, "big"):
                return inner
        raise AssertionError("no word of the exchange's storage holds the book")

    def commit(self, root: bytes, size: int) -> None:
        word = int.from_bytes(merkle.commitment(root, size), "big")
        self.world.chain.set_storage(self.world.exchange.address, self.storage_key, word)

    def accepts(self, root: bytes, size: int, index: int, path: list[bytes]) -> bool:
        """Whether the challenge would be answered by this proof."""
        challenges = self.world.contracts.challenges
        place = {"root": root, "size": size, "index": index, "path": path}
        data = challenges.interface.call("answer_in_book", self.number, place)
        refusal = reason_of(self.world.chain.call, challenges.address, data)
        assert refusal in (None, "challenges: place")
        return refusal is None


def check_all_places(court: Court, size: int) -> None:
    for index in range(size):
        book = book_with_order_at(index, size)
        root = merkle.root(book)
        court.commit(root, size)
        path = merkle.path(book, index)
        assert court.accepts(root, size, index, path)
        assert not court.accepts(root, size, (index + 1) % (size + 1), path)


@pytest.mark.parametrize("size", range(1, 10))
def test_every_place_in_a_small_book_is_proved(world: World, size: int) -> None:
    check_all_places(Court(world), size)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_place_in_a_book_of_up_to_seventy_orders_is_proved(world: World) -> None:
    court = Court(world)
    for size in range(1, LARGEST + 1):
        check_all_places(court, size)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_contract_and_python_agree_on_every_proof_right_or_wrong(
    built_world: World, data: st.DataObject
) -> None:
    with one_world_for_a_test(built_world) as world:
        court = Court(world)
        for _ in range(20):
            size = data.draw(st.integers(1, LARGEST), label="size")
            index = data.draw(st.integers(0, size - 1), label="index")
            book = book_with_order_at(index, size)
            root, path = merkle.root(book), merkle.path(book, index)
            court.commit(root, size)
            assert court.accepts(root, size, index, path)
            claimed = data.draw(st.integers(0, size), label="claimed index")
            shown = data.draw(
                st.sampled_from([path, path[:-1], path[1:], [*path, root], path[::-1]]), label="path"
            )
            expected = merkle.root_by_path(ORDER, claimed, size, shown) == root
            assert court.accepts(root, size, claimed, shown) == expected


def test_a_book_that_has_fewer_orders_than_it_says_proves_nothing(world: World) -> None:
    court, book = Court(world), book_with_order_at(0, 2)
    root, path = merkle.root(book), merkle.path(book, 0)
    for size, is_accepted in ((2, True), (3, False), (4, False), (1, False)):
        court.commit(root, size)
        assert court.accepts(root, size, 0, path) is is_accepted
    court.commit(merkle.root([ORDER]), 2)
    assert not court.accepts(merkle.root([ORDER]), 2, 0, [])


def test_a_book_that_has_more_orders_than_it_says_proves_nothing(world: World) -> None:
    court, book = Court(world), book_with_order_at(1, 2)
    root, path = merkle.root(book), merkle.path(book, 1)
    court.commit(root, 1)
    assert not court.accepts(root, 1, 0, path)


def test_a_path_is_at_most_thirty_two_hashes(world: World) -> None:
    court = Court(world)
    for index in (2**32 - 1, 0):
        path = [bytes([number]) * 32 for number in range(32)]
        root = merkle.root_by_path(ORDER, index, 2**32, path)
        assert root is not None
        court.commit(root, 2**32)
        assert court.accepts(root, 2**32, index, path)
        assert not court.accepts(root, 2**32, index ^ 1, path)
    with refused(""):  # the ABI decoder's own refusal
        place = {"root": bytes(32), "size": 2**33, "index": 0, "path": [bytes(32)] * 33}
        world.act("operator", "answer_in_book", court.number, place)
