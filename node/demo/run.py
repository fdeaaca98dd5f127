"""Runs the demonstration: the node in this process, the homes in another, and what a person sees of both."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ledger.deployment import MarketTerms
from matching.errors import WattbookError
from node.auditing import NodeAudit, audit_node
from node.composition import Node, open_node, serving
from node.config import Config
from node.demo import show
from node.demo.driver import API_KEY_VARIABLE
from node.demo.onboarding import onboard
from node.demo.report import DayReport, day_report
from node.demo.setting import MARKET_NAME, ZONE, Participant, Setting, setting
from node.store.records import SlotState

# The market opens with the day's first slot; before that, the homes are onboarded.
_SET_UP_S = 1_200
_STOP_WITHIN_S = 10


class DriverEndedError(WattbookError):
    """The process that trades for the homes ended, and nobody asked it to."""

    code = "demo.driver_ended"


class TooEarlyDayError(WattbookError):
    """The data folder's market began later in the day."""

    code = "demo.too_early"


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What a person can choose.

    Attributes:
        first_slot: quarter hour of the day to begin with.
        slots: trade only so many slots of the day; None for all.
        pace_s: seconds a slot takes after the day.
        serve: whether to go on after the day.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    chain_port: int = 8545
    first_slot: int = 0
    slots: int | None = None
    pace_s: float = 15.0
    serve: bool = True


@dataclass(frozen=True)
class Outcome:
    """What the day came to, and whether it holds."""

    day: DayReport
    audit: NodeAudit


def run_demo(options: DemoOptions, console: Console) -> Outcome:
    """Trade the day from wherever it was left, report, audit, and go on serving until interrupted.

    Raises:
        WattbookError: the data folder is in use or foreign, a port is taken, or the homes' process died.
    """
    began = time.monotonic()
    today = setting(options.first_slot, options.slots)
    with ExitStack() as stack:
        with console.status("Opening the chain and the contracts"):
            node = stack.enter_context(open_node(_config(options, today)))
        if today.day[0] < node.first_slot:
            raise TooEarlyDayError(
                f"{options.data} holds a market that begins at {node.first_slot}: cannot trade slot {today.day[0]}"
            )
        resumed = bool(node.store.members())
        with console.status(f"Onboarding {len(today.community.homes)} homes and the utility"):
            participants = today.participants(node.chain.chain_id, node.market.id)
            onboard(node, participants)
        stack.enter_context(serving(node))
        show.banner(console, node, participants, resumed=resumed)
        events = stack.enter_context(_homes(options, node))
        _watch_day(console, node, events, today, began)
        outcome = _report(console, node, participants, today)
        if options.serve:
            show.hints(console, node, participants)
            for event in events:
                _show_trouble(console, event)
            raise DriverEndedError("the process that trades for the homes has ended")
    return outcome


def _config(options: DemoOptions, today: Setting) -> Config:
    return Config(
        data=options.data,
        host=options.host,
        port=options.port,
        chain_port=options.chain_port,
        stepped_from=today.day[0] - _SET_UP_S,
        market_name=MARKET_NAME,
        zone=ZONE,
        terms=MarketTerms(slot_length_s=today.community.slot_s),
    )


@contextmanager
def _homes(options: DemoOptions, node: Node) -> Iterator[Iterator[dict[str, Any]]]:
    """The process that trades for the homes, and the events it reports."""
    command = [sys.executable, "-m", "node.demo.driver", "--url", node.url]
    command += ["--first-slot", str(options.first_slot)]
    if options.slots is not None:
        command += ["--slots", str(options.slots)]
    if options.serve:
        command += ["--then-every", str(options.pace_s)]
    environment = os.environ | {API_KEY_VARIABLE: node.services.operator_api_key}
    process = subprocess.Popen(  # noqa: S603 - our own module, with arguments that are numbers and our own URL
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker; it is a pipe
    try:
        yield (json.loads(line) for line in process.stdout)
    finally:
        process.terminate()
        process.wait(_STOP_WITHIN_S)


def _watch_day(
    console: Console, node: Node, events: Iterator[dict[str, Any]], today: Setting, began: float
) -> None:
    """Show progress until every slot of the day is certified."""
    done = sum(_is_certified(node, slot) for slot in today.day)
    is_first = done == 0
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("slots"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Trading", total=len(today.day), completed=done)
        while done < len(today.day):
            event = next(events, None)
            if event is None:
                raise DriverEndedError(f"the process that trades for the homes ended after {done} slots")
            _show_trouble(console, event)
            if is_first and "settled" in event:
                is_first = False
                console.print(f"First slot settled {time.monotonic() - began:.1f} s after the start.")
            if event.get("done", today.day[-1] + 1) <= today.day[-1]:
                done += 1
                progress.update(task, completed=done, description=show.slot_line(node, event["done"]))
    console.print(f"The day was complete {time.monotonic() - began:.0f} s after the start.\n")


def _report(console: Console, node: Node, participants: list[Participant], today: Setting) -> Outcome:
    tariff = node.services.tariffs.tariff(today.day[0])
    day = day_report(node, participants, today.day, tariff)
    show.report(console, day, tariff, node.url)
    with console.status("Auditing"):
        exchange = node.contracts.exchange.address
        audited = audit_node(node.chain, exchange, node.store, design=node.services.design)
    show.audit_line(console, audited)
    return Outcome(day, audited)


def _is_certified(node: Node, slot: int) -> bool:
    record = node.store.slot(slot)
    return record is not None and record.state is SlotState.CERTIFIED


def _show_trouble(console: Console, event: dict[str, Any]) -> None:
    if "trouble" in event:
        console.print(f"[yellow]A home had trouble:[/] {event['trouble']}")
