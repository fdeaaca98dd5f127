"""The clients that docs/api.md shows work as they stand, and its tables name what there is."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from node.api.events import HEARTBEAT_S, PAGE
from node.api.services import Services
from node.events.certificates import KEPT_EVENTS
from node.events.streams import MAX_STREAMS, MAX_STREAMS_OF_ONE
from node.store.records import OrderStatus
from node.store.telling import EventKind
from tests.node.parts import ALICE
from tests.node.small_node import START

PAGE_TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
OURS, OTHERS = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE_TEXT)


@pytest.fixture
def run(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Runs a program as the page says, with Alice's key, and returns what it prints."""
    monkeypatch.setenv("WATTBOOK_URL", url)
    monkeypatch.setenv("WATTBOOK_KEY", "0x" + ALICE.secret.hex())

    def run_it(program: str) -> str:
        file = tmp_path / "client.py"
        file.write_text(program, encoding="utf-8")
        runpy.run_path(str(file))
        return capsys.readouterr().out

    return run_it


def test_our_clients_place_an_order_and_follow_it(run: Callable[[str], str], services: Services) -> None:
    assert run(OURS).split() == ["order_accepted", "open", "9950000000", "slot.unknown"]
    (record,) = services.store.orders()
    assert record.signed.order.quantity_wh == 500


def test_a_client_of_ones_own_places_an_order_and_checks_its_receipt(
    run: Callable[[str], str], services: Services
) -> None:
    assert run(OTHERS) == f"number 0 of slot {START + 900}\n"
    (record,) = services.store.orders()
    assert (record.signed.order.account, record.status) == (ALICE.address, OrderStatus.OPEN)


def test_a_client_of_ones_own_is_thirty_lines_and_imports_nothing_of_ours() -> None:
    assert len([line for line in OTHERS.splitlines() if line.strip()]) <= 30
    imported = set(re.findall(r"(?m)^ *(?:import|from) (\w+)", OTHERS))
    assert imported == {"os", "requests", "eth_account", "web3"}


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_is_explained(kind: EventKind) -> None:
    assert f"`{kind.value}`" in PAGE_TEXT


def test_limits_are_as_the_page_says() -> None:
    assert f"{MAX_STREAMS} streams are open" in PAGE_TEXT
    assert f"or {MAX_STREAMS_OF_ONE} from your address" in PAGE_TEXT
    assert (HEARTBEAT_S, PAGE, KEPT_EVENTS) == (15, 200, 1_000_000)
