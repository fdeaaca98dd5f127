"""What a node refuses, as people say it: kWh, EUR and local time, where the node's own words are in its units."""

from collections.abc import Callable
from typing import Any

from node.cli import units
from node.client import ApiProblemError


def in_peoples_units(error: ApiProblemError) -> str:
    """A refusal in people's units, if it is one that has numbers and times; else in the node's words."""
    say = _too_much if "most_wh" in error.details else _WORDS.get(error.code)
    if say is None:
        return str(error)
    try:
        return f"{say(error.details)} ({error.code})"
    except (KeyError, TypeError, ValueError, ArithmeticError):
        # What answers may be another version, or no node.
        return str(error)


def _too_much(details: dict[str, Any]) -> str:
    return f"that is too much: it can be at most {units.shown_energy(details['most_wh'])}"


def _uncovered(details: dict[str, Any]) -> str:
    needed, free = (units.shown_money(int(details[name])) for name in ("needed", "free"))
    return f"that needs {needed} of cover: {free} is free in escrow"


def _gate_closed(details: dict[str, Any]) -> str:
    slot, closed, now = (units.shown_time(details[name]) for name in ("slot", "closes_at", "now"))
    return f"the gate of slot {slot} closed at {closed}: it is {now}"


def _misaligned(details: dict[str, Any]) -> str:
    slot, minutes = units.shown_time(details["slot"]), details["slot_length_s"] // 60
    return f"no slot starts at {slot}: they start every {minutes} minutes from the full hour"


def _too_early(details: dict[str, Any]) -> str:
    return f"that is too far ahead: for now, slots that start by {units.shown_time(details['latest'])} are open"


def _known_deposit(details: dict[str, Any]) -> str:
    amount, account = units.shown_money(int(details["amount"])), details["account"]
    return f"the reference was used before, for {amount} for {account}"


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "order.uncovered": _uncovered,
    "order.gate_closed": _gate_closed,
    "order.slot_misaligned": _misaligned,
    "order.too_early": _too_early,
    "deposit.known": _known_deposit,
}
