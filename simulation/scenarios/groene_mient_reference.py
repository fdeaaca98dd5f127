"""Our numbers of Groene Mient beside those of the source study, and why they differ."""

from collections.abc import Mapping
from datetime import date, time
from fractions import Fraction

import numpy as np

from matching.book import Ints
from matching.exact import exact_sum
from simulation.groene_mient import load_groene_mient
from simulation.localtime import between, local_days
from simulation.report.tables import Comparison
from simulation.results import Results, bills_nano

SUNNY = (time(8, 30), time(17, 15))
EVENING = (time(17, 30), time(21, 0))

SHOWN_DAY = date(2016, 10, 16)
"""The day whose consumption is nearest to 20 % above its generation, as the year's is: the study shows one day."""

CT_PER_KWH = 10_000  # nano-credit per Wh

_PRICE = (
    "The mean of all that members pay and receive, trades with the utility included. That is how we read the "
    "study, whose text does not say it: among members alone, ramps that mirror one another meet halfway, at 15.5, "
    "whatever is scarce. On the day whose consumption is nearest to 20 % above its generation; which day the "
    "study shows, and its households, are not public."
)
_SUFFICIENCY = (
    "Over the year, own generation consumed behind the own meter included. The study's households are not public; "
    "ours cover 29 % of their consumption behind the own meter already, so they may coincide more with their sun. "
    "Whether the study counts that, and over which time, is not known. "
)


def price_inside(results: Results, positions: Ints) -> Fraction | None:
    """Mean price of all energy that members bought or sold, with the utility too, nano-credit per Wh.

    Σ money of trades / Σ energy of trades, over members' trades with one another (each once), imports at the
    retail and exports at the feed-in price; None if there were none.
    """
    imported = results.members["imported_wh"].sum(axis=0)[positions]
    exported = results.members["exported_wh"].sum(axis=0)[positions]
    slots = {name: column[positions] for name, column in results.slots.items()}
    energy_wh = int((slots["traded_wh"] + imported + exported).sum())
    money = slots["traded_nano"] + imported * slots["retail_price"] + exported * slots["feed_in_price"]
    return Fraction(exact_sum(money), energy_wh) if energy_wh else None


def shown(results: Results, start: time, end: time) -> Ints:
    """Positions of the shown day's slots between these times."""
    slots, zone = results.slots["slot"], results.info.time_zone
    return np.intersect1d(local_days(slots, zone)[SHOWN_DAY], between(slots, zone, start, end))


def self_sufficiency(results: Results) -> Fraction:
    """Share of the consumption that the community generated, see `simulation.supply`."""
    m = results.members
    local_wh = int(m["from_generation_wh"].sum() + m["from_storage_wh"].sum())
    return Fraction(local_wh, int(m["consumption_wh"].sum()))


def compare(variants: Mapping[str, Results]) -> list[Comparison]:
    """The study's numbers beside those of the year's variants `conventional`, `market` and `battery`."""
    conventional, market, battery = (variants[name] for name in ("conventional", "market", "battery"))
    low, high = smallest_and_largest_producer()
    return [
        Comparison(
            "price inside, 08:30 to 17:15, without battery",
            _ct(price_inside(market, shown(market, *SUNNY))),
            "about 10 ct/kWh",
            _PRICE,
        ),
        Comparison(
            "price inside, 08:30 to 17:15, with battery",
            _ct(price_inside(battery, shown(battery, *SUNNY))),
            "about 14 ct/kWh",
            _PRICE + " Our battery is full before the sun is gone, and what is left over then goes at 9 ct/kWh.",
        ),
        Comparison(
            "price inside, 17:30 to 21:00, with battery",
            _ct(price_inside(battery, shown(battery, *EVENING))),
            "below 22 ct/kWh",
            _PRICE + f" Without battery ours is {_ct(price_inside(market, shown(market, *EVENING)))}.",
        ),
        Comparison("self-sufficiency without battery", _percent(self_sufficiency(market)), "21 %", _SUFFICIENCY),
        Comparison(
            "self-sufficiency with 80 kWh battery",
            _percent(self_sufficiency(battery)),
            "41 %",
            _SUFFICIENCY + "The battery adds "
            f"{_percent(self_sufficiency(battery) - self_sufficiency(market))}, the study's 20 %: "
            "it is filled on 14 of the 120 days from November to February only.",
        ),
        *(
            Comparison(
                f"year's bill of the {which} producer",
                " → ".join(_eur(bills_nano(results)[row]) for results in (conventional, market, battery)),
                "falls in both steps",
                "Conventional, with market, with battery. The study prints no amounts.",
            )
            for which, row in (("smallest", low), ("largest", high))
        ),
    ]


def smallest_and_largest_producer() -> tuple[int, int]:
    """Positions of the households that generate least and most in the year."""
    generated = [int(home.generation_wh.sum()) for home in load_groene_mient().homes]
    return generated.index(min(generated)), generated.index(max(generated))


def _ct(price: Fraction | None) -> str:
    return "nothing traded" if price is None else f"{float(price) / CT_PER_KWH:.1f} ct/kWh"


def _percent(share: Fraction) -> str:
    return f"{float(share):.0%}".replace("%", " %")


def _eur(nano: int) -> str:
    return f"{nano / 10**9:.2f} EUR"
