"""What a Wh cost inside the community: of its trades, those with the utility excluded."""

from fractions import Fraction

from matching.book import Ints
from matching.exact import exact_sum
from simulation.results import Results


def mean_price(results: Results, positions: Ints | None = None) -> Fraction | None:
    """Mean price of the members' trades, weighted by energy, nano-credit per Wh; None if nothing traded.

    Σt money / Σt energy over the slots' trades between members. The grid fee is not in it.

    Args:
        results: the run.
        positions: only of these slots, e.g. `simulation.localtime.between`'s.
    """
    chosen = slice(None) if positions is None else positions
    traded_wh = int(results.slots["traded_wh"][chosen].sum())
    return Fraction(exact_sum(results.slots["traded_nano"][chosen]), traded_wh) if traded_wh else None
