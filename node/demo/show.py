"""What the demonstration prints. People see kWh, ct/kWh, EUR and local time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from matching.tariff import Tariff
from node.auditing import NodeAudit
from node.cli.common import DEFAULT_URL
from node.composition import Node
from node.demo.report import DayReport
from node.demo.setting import Participant
from simulation.indicators import Bill

FAULTY_HOMES = ("home-12", "home-15")
"""Whose load data cannot be right; see `simulation/data/fontana/README.md`."""

_HOME_OF_THE_HOMES = ZoneInfo("America/Los_Angeles")


def banner(console: Console, node: Node, participants: Sequence[Participant], *, resumed: bool) -> None:
    """Where everything is."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (
        ("API", f"{node.url}/docs"),
        ("JSON-RPC", f"{node.chain_url}  chain id {node.chain.chain_id}"),
        ("Exchange", _hex(node.contracts.exchange.address)),
        ("Credit", _hex(node.contracts.credit.address)),
        ("Energy", _hex(node.contracts.energy.address)),
        ("Certificates", _hex(node.contracts.certificates.address)),
        ("Data folder", str(node.config.data)),
    ):
        table.add_row(name, value)
    console.print(table)
    if resumed:
        console.print("Going on where the last run stopped.")
    console.print(
        f"Trading for {len(participants)} homes. All keys here are development keys: everybody knows them."
    )


def slot_line(node: Node, slot: int) -> str:
    """One slot in a few words, for the progress bar."""
    record = node.store.slot(slot)
    local = datetime.fromtimestamp(slot, tz=_HOME_OF_THE_HOMES).strftime("%H:%M")
    if record is None or record.price is None:
        return f"{local}     no trades      "
    return f"{local} {_kwh(record.bought_wh or 0):>6} kWh at {_ct(record.price)} ct"


def report(console: Console, day: DayReport, tariff: Tariff, url: str) -> None:
    """The day's tables; `url` is the node's."""
    community = day.indicators
    facts = Table(title="The community's day", show_header=False)
    facts.add_column()
    facts.add_column(justify="right")
    for name, value in (
        ("consumed", f"{_kwh(community.consumption_wh)} kWh"),
        ("generated", f"{_kwh(community.generation_wh)} kWh"),
        ("traded in the community (contracted)", f"{_kwh(community.traded_wh)} kWh"),
        ("exchanged between homes (metered)", f"{_kwh(community.exchanged_wh)} kWh"),
        ("imported from the grid", f"{_kwh(community.imported_wh)} kWh"),
        ("exported to the grid", f"{_kwh(community.exported_wh)} kWh"),
        ("self-sufficiency", _percent(community.self_sufficiency)),
        ("self-consumption", _percent(community.self_consumption)),
        ("orders placed / filled", f"{day.orders:,} / {day.filled_orders:,}"),
        ("certificates issued", f"{_kwh(day.issued_wh)} kWh"),
        ("certificates retired", f"{_kwh(day.retired_wh)} kWh"),
        ("consumption covered 24/7, slot by slot", _percent(_share(day.matched_ppm))),
        ("gas used", f"{sum(day.gas.values()):,} in {day.transactions:,} transactions"),
        *((f"  {step}", f"{gas:,}") for step, gas in day.gas.items()),
        ("blocks on the chain", f"{day.blocks:,}"),
    ):
        facts.add_row(name, value)
    console.print(facts)
    console.print(
        f"Signed disclosure of the day, to be checked by anybody: {url}/verify/{_hex(day.statement)}\n",
        soft_wrap=True,
    )

    bills = Table(
        title=f"Bills (retail {_ct(tariff.retail_price)}, feed-in {_ct(tariff.feed_in_price)}, "
        f"grid fee {_ct(tariff.grid_fee)} ct/kWh)",
        caption="Homes trade on yesterday's readings; what they misjudge is settled with the utility\n"
        "and can cost more than the market saves them.\n"
        "* Their load meters are faulty: see the data's page.",
    )
    for column in ("home", "with the market", "utility only", "saved"):
        bills.add_column(column, justify="left" if column == "home" else "right")
    for name, bill in day.bills.items():
        bills.add_row(name, _eur(bill.market_nano), _eur(bill.utility_nano), _eur(bill.saving_nano))
    bills.add_section()
    bills.add_row("all homes", *_totals(day.bills.values()))
    plausible = [bill for name, bill in day.bills.items() if name not in FAULTY_HOMES]
    bills.add_row(f"without {' and '.join(FAULTY_HOMES)}*", *_totals(plausible))
    console.print(bills)


def _totals(bills: Iterable[Bill]) -> list[str]:
    return [
        _eur(sum(amounts))
        for amounts in zip(
            *((bill.market_nano, bill.utility_nano, bill.saving_nano) for bill in bills), strict=True
        )
    ]


def audit_line(console: Console, audited: NodeAudit) -> None:
    """The audit's outcome."""
    console.print(f"Audit from the chain alone, and of the store against it: {audited.checks:,} checks, ", end="")
    if not audited.findings:
        console.print("[green]nothing wrong[/].")
    else:
        console.print(f"[red]{len(audited.findings)} findings[/]:")
    for finding in audited.findings:
        console.print(f"  {finding}")


def hints(console: Console, node: Node, participants: Sequence[Participant]) -> None:
    """What to try next."""
    member, exchange = participants[0], node.contracts.exchange.address
    url = "" if node.url == DEFAULT_URL else f" --url {node.url}"
    key = "0x" + member.key.secret.hex()
    console.print(f"\nThe homes go on trading. Try, in another terminal, as the member {member.name}:\n")
    console.print(f"  export WATTBOOK_KEY={key}", soft_wrap=True)
    for command in (
        f"wattbook order --offer --kwh 0.5 --price 18{url}",
        f"wattbook orders{url}      # a slot later",
        f"wattbook balance{url}",
        f"wattbook audit --rpc {node.chain_url} --exchange {_hex(exchange)} --data {node.config.data}",
    ):
        console.print(f"  .venv/bin/{command}", soft_wrap=True)
    console.print("\nCtrl-C stops; the same command goes on from there.")


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh / 1_000:,.1f}"


def _ct(price: int) -> str:
    return f"{price / 10_000:.2f}"


def _eur(amount_nano: int) -> str:
    return f"{amount_nano / 10**9:,.2f} EUR"


def _share(ppm: int | None) -> Fraction | None:
    return None if ppm is None else Fraction(ppm, 10**6)


def _percent(share: Fraction | None) -> str:
    # Rounded down, so that only what is whole reads as such.
    return "-" if share is None else f"{floor(share * 1_000) / 10:.1f} %"
