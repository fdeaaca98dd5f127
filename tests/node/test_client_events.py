"""Following events with the client, over connections that break and nodes that start again."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice

import pytest

from node.api.services import Services
from node.client import ApiProblemError, AsyncWattbookClient, NoKeyError, UnreachableError, WattbookClient
from node.store.telling import Event, EventKind
from tests.node.parts import ALICE, BOB, SLOT, order
from tests.node.small_node import API_KEY, Server
from tests.node.taken import take


def close_slots(services: Services, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        services.store.close_slot(SLOT + 900 * number)


@contextmanager
def cut_off(server: Server, after_bytes: int) -> Iterator[str]:
    """A way to the server that breaks, again and again, after so many bytes of an answer."""
    host, port = server.url.removeprefix("http://").split(":")
    is_over = threading.Event()

    def pass_on(connection: socket.socket) -> None:
        with connection, socket.create_connection((host, int(port)), timeout=0.1) as upstream:
            upstream.sendall(connection.recv(65_536))
            left = after_bytes
            while left > 0 and not is_over.is_set():
                with suppress(TimeoutError):
                    piece = upstream.recv(min(left, 4_096))
                    connection.sendall(piece)
                    left -= len(piece) or left

    def accept() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                pass_on(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        is_over.set()
        thread.join()


def test_a_client_follows_the_market_from_the_beginning_and_goes_on(url: str, services: Services) -> None:
    close_slots(services, 3)
    with WattbookClient(url) as client:
        found = client.events(after=0)
        assert [event.number for event in islice(found, 3)] == [1, 2, 3]
        close_slots(services, 1, first=3)
        event = next(found)
        assert (event.number, event.kind, event.slot) == (4, "slot_closed", SLOT + 2_700)
        assert event.details == {"slot": SLOT + 2_700}


def test_a_member_signs_for_its_own_account(url: str, services: Services) -> None:
    record = take(services.store, order(ALICE), SLOT - 3_600)
    with WattbookClient(url, ALICE) as alice, WattbookClient(url, BOB) as bob, WattbookClient(url) as nobody:
        event = next(alice.events(ALICE.address, after=0))
        assert event.details["order"] == "0x" + record.signed.hash.hex()
        with pytest.raises(ApiProblemError, match=r"event\.signature"):
            next(bob.events(ALICE.address, after=0))
        with pytest.raises(NoKeyError):
            next(nobody.events(ALICE.address, after=0))
        assert next(nobody.events(ALICE.address, after=0, api_key=API_KEY)) == event


@pytest.mark.parametrize("after_bytes", [700, 1_100, 2_000])
def test_nothing_is_missed_or_repeated_when_connections_break(
    server: Server, url: str, services: Services, after_bytes: int
) -> None:
    """They break anywhere, in the middle of an event too."""
    close_slots(services, 40)
    with cut_off(server, after_bytes) as broken, WattbookClient(broken) as client:
        numbers = [event.number for event in islice(client.events(after=0), 40)]
    assert numbers == list(range(1, 41))


def test_the_client_that_is_awaited_follows_as_well(server: Server, url: str, services: Services) -> None:
    close_slots(services, 20)

    async def follow(broken: str) -> list[int]:
        numbers = []
        async with AsyncWattbookClient(broken) as client:
            async for event in client.events(after=0):
                numbers.append(event.number)
                if len(numbers) == 20:
                    break
        return numbers

    with cut_off(server, 900) as broken:
        assert asyncio.run(follow(broken)) == list(range(1, 21))


def test_what_cannot_be_followed_is_said(url: str, services: Services) -> None:
    moves = [Event(EventKind.CERTIFICATE_MOVED, SLOT)] * 5
    services.store.tell_certificates(moves, after=-1, block=1)
    services.store.prune_events(keep=1)
    with WattbookClient(url) as client:
        for after, code in ((2, "event.forgotten"), (9, "event.unknown")):
            with pytest.raises(ApiProblemError) as refusal:
                next(client.events(after=after))
            assert refusal.value.code == code


def test_a_node_that_stays_away_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        WattbookClient(f"http://127.0.0.1:{port}", patience_s=0.3) as client,
        pytest.raises(UnreachableError),
    ):
        next(client.events(after=0))
