"""Those who come while something is being written are written next, together; nobody waits for ever."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from node.group_commit import BusyError, GroupCommit


@dataclass
class Press:
    """Writes a group whenever it is let, and remembers all groups."""

    groups: list[list[int]] = field(default_factory=list)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def write(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        self.begun.release()
        assert self.let.acquire(timeout=20)
        if -1 in group:
            raise OSError("the disk is full")
        return [item * 10 for item in group]


@pytest.fixture
def press() -> Press:
    return Press()


def commit(press: Press, *, group_size: int = 100, most_waiting: int = 100) -> GroupCommit[int, int]:
    return GroupCommit(press.write, group_size=group_size, most_waiting=most_waiting)


def wait_for(queue: GroupCommit[int, int], waiting: int) -> None:
    while queue._items_waiting != waiting:
        threading.Event().wait(0.001)


def test_whoever_comes_alone_is_written_at_once_in_its_own_thread(press: Press) -> None:
    press.let.release()
    assert commit(press).submit([1, 2]) == [10, 20]
    assert press.groups == [[1, 2]]


def test_those_who_come_meanwhile_share_the_next_group_and_get_their_own_outcomes(press: Press) -> None:
    queue = commit(press)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(queue.submit, [1])
        assert press.begun.acquire(timeout=20)
        others = []
        for number, items in enumerate(([2], [3, 4], [5]), start=1):
            others.append(pool.submit(queue.submit, items))
            wait_for(queue, (1, 3, 4)[number - 1])
        press.let.release(2)
        assert first.result(20) == [10]
        assert [each.result(20) for each in others] == [[20], [30, 40], [50]]
    assert press.groups == [[1], [2, 3, 4, 5]]


def test_a_group_has_a_size_but_whoever_brings_more_is_written_all_the_same(press: Press) -> None:
    queue = commit(press, group_size=3)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(queue.submit, [1, 2, 3, 4, 5])
        assert press.begun.acquire(timeout=20)
        second = pool.submit(queue.submit, [6, 7])
        wait_for(queue, 2)
        third = pool.submit(queue.submit, [8, 9])
        wait_for(queue, 4)
        press.let.release(3)
        assert [len(each.result(20)) for each in (first, second, third)] == [5, 2, 2]
    assert press.groups == [[1, 2, 3, 4, 5], [6, 7], [8, 9]]


def test_a_full_queue_refuses_and_goes_on_once_it_has_room(press: Press) -> None:
    queue = commit(press, most_waiting=2)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(queue.submit, [1])
        assert press.begun.acquire(timeout=20)
        second = pool.submit(queue.submit, [2])
        wait_for(queue, 1)
        with pytest.raises(BusyError) as refusal:
            queue.submit([3, 4])
        assert refusal.value.retry_after_s == 1
        press.let.release(2)
        assert [*first.result(20), *second.result(20)] == [10, 20]
        press.let.release()
        assert queue.submit([3, 4]) == [30, 40]
    assert press.groups == [[1], [2], [3, 4]]


def test_everybody_in_a_group_hears_of_its_failure_and_the_next_is_written(press: Press) -> None:
    queue = commit(press, group_size=2)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(queue.submit, [1])
        assert press.begun.acquire(timeout=20)
        failing = []
        for item in (-1, 2):
            failing.append(pool.submit(queue.submit, [item]))
            wait_for(queue, len(failing))
        last = pool.submit(queue.submit, [3])
        wait_for(queue, 3)
        press.let.release(3)
        assert first.result(20) == [10]
        for each in failing:
            with pytest.raises(OSError, match="full"):
                each.result(20)
        assert last.result(20) == [30]


def test_closing_waits_for_the_group_under_way_and_refuses_all_others(press: Press) -> None:
    queue = commit(press)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(queue.submit, [1])
        assert press.begun.acquire(timeout=20)
        waiting = [pool.submit(queue.submit, [item]) for item in (2, 3)]
        wait_for(queue, 2)
        closing = pool.submit(queue.close)
        while not queue._is_closed:
            threading.Event().wait(0.001)
        with pytest.raises(BusyError, match="ending"):
            queue.submit([4])
        assert not closing.done()
        press.let.release(4)
        closing.result(20)
        assert first.result(20) == [10]
        for each in waiting:
            with pytest.raises(BusyError, match="ending"):
                each.result(20)
    assert press.groups == [[1]]


def test_closing_what_is_at_rest_takes_nothing(press: Press) -> None:
    queue = commit(press)
    press.let.release()
    queue.submit([1])
    queue.close()
    queue.close()
    with pytest.raises(BusyError):
        queue.submit([2])
    assert press.groups == [[1]]


def test_nothing_is_lost_or_written_twice_however_many_come(press: Press) -> None:
    queue = commit(press, group_size=7, most_waiting=1_000)
    press.let.release(1_000)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda item: queue.submit([item, item + 1]), range(0, 600, 2)))
    assert found == [[item * 10, item * 10 + 10] for item in range(0, 600, 2)]
    assert sorted(item for group in press.groups for item in group) == list(range(600))
