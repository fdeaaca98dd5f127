"""The homes' side of the demonstration: a process of its own that trades over HTTP like anyone else.

It also moves the node's clock, with the operator's API key, because a demonstration cannot wait a day. It keeps
nothing: agents and meters give the same orders and readings again, and the node takes each once, so the process
may be killed and started at any moment. It prints a line of JSON for every slot that is done.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from agents.agent import Agent
from matching.errors import WattbookError
from node.client import ApiProblemError, UnreachableError, WattbookClient
from node.demo.setting import setting
from node.store.records import SlotState

API_KEY_VARIABLE = "WATTBOOK_API_KEY"
GONE = 3
"""Exit status when the node no longer answers."""


class Driver:
    """Trades, meters and moves the clock."""

    def __init__(self, operator: WattbookClient, api_key: str, agents: Sequence[Agent]) -> None:
        self._operator = operator
        self._api_key = api_key
        self._agents = agents
        market = operator.market()
        self._slot_length_s = market.slot_length_s
        self._gate_lead_s = market.gate_lead_s
        self._now = market.now

    def run(self, slots: Iterable[int], pace_s: Callable[[int], float]) -> None:
        """Take slots, in ascending order, through their lives; `pace_s` is how long each takes at least.

        A slot's gate closes before the slot ahead of it ends, so each trades before that one is delivered.
        """
        previous: int | None = None
        for slot in slots:
            began = time.monotonic()
            self._trade(slot)
            self._advance(slot - self._gate_lead_s)
            _say(settled=slot)
            if previous is not None:
                self._deliver(previous)
            previous = slot
            time.sleep(max(0.0, pace_s(slot) - (time.monotonic() - began)))
        if previous is not None:
            self._deliver(previous)

    def is_done(self, slot: int) -> bool:
        """Whether the slot is certified, so that nothing is left to do for it."""
        try:
            return self._operator.slot(slot).state == SlotState.CERTIFIED
        except ApiProblemError as problem:
            if problem.code == "slot.unknown":
                return False
            raise

    def _trade(self, slot: int) -> None:
        if self._now < slot - self._gate_lead_s:
            for agent in self._agents:
                _attempt(partial(agent.trade, slot))

    def _deliver(self, slot: int) -> None:
        self._advance(slot + self._slot_length_s)
        for agent in self._agents:
            _attempt(partial(agent.report, slot))
        self._advance(self._now)
        if self.is_done(slot):
            _say(done=slot)
        else:
            _say(trouble=f"slot {slot} is not certified yet: the node's log says why")

    def _advance(self, now: int) -> None:
        """Let time pass, at least until all that is due by now is done."""
        self._now = max(now, self._now)
        self._operator.advance_clock(self._now, api_key=self._api_key)


def _attempt(action: Callable[[], object]) -> None:
    """One agent's trouble is not the others'; but without a node there is nothing to do for anyone."""
    try:
        action()
    except UnreachableError:
        raise
    except WattbookError as error:
        _say(trouble=str(error))


def _say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def _end_with_parent() -> None:
    """End this process when whoever started it is gone: then its end of our standard input closes."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(GONE)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Drive the node at `--url` through the day, and on through the days after it unless told to stop."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--first-slot", type=int, default=0, help="begin with this quarter hour of the day")
    parser.add_argument("--slots", type=int, help="only so many slots of the day")
    parser.add_argument("--then-every", type=float, help="seconds a slot after the day; without it, stop")
    options = parser.parse_args(arguments)
    # An interrupt is for the parent, which tells us by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()

    today = setting(options.first_slot, options.slots)
    operator = WattbookClient(options.url)
    market = operator.market()
    agents = [
        Agent(participant.home, participant.meters, WattbookClient(options.url, participant.key))
        for participant in today.participants(market.domain.chain_id, market.id)
    ]
    driver = Driver(operator, os.environ[API_KEY_VARIABLE], agents)
    end = today.day[-1] if options.then_every is None else today.last_slot
    slots = range(today.day[0], end + 1, market.slot_length_s)
    left = (slot for slot in slots if not driver.is_done(slot))
    try:
        driver.run(left, lambda slot: 0.0 if slot <= today.day[-1] else options.then_every)
    except UnreachableError:
        return GONE
    return 0


if __name__ == "__main__":
    sys.exit(main())
