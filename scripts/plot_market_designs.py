"""Draw the figures of `docs/market-designs.md`: supply and demand with the clearing of each design.

    python scripts/plot_market_designs.py [--output DIRECTORY]

Writes plain SVG, the same byte for byte on every run, into `docs/img` unless told otherwise.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any directory, not installed

from matching import continuous, discriminatory, mcafee, uniform
from matching.book import Book, from_arrays
from matching.crossing import Curve, demand, supply
from matching.result import Clearing

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "img"

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 64, 344, 40, 610
MOST_WH, MOST_PRICE = 3_000, 360_000
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#c8641e", "#2e7d4f", "#666666"
Point = tuple[float, float]


def example() -> Book:
    """The worked example of `docs/market-designs.md`: four bids, four offers, received in a mixed order."""
    return from_arrays(
        side=[0, 0, 0, 0, 1, 1, 1, 1],
        price=[320_000, 280_000, 240_000, 180_000, 80_000, 120_000, 200_000, 260_000],
        quantity_wh=[600, 900, 500, 800, 700, 600, 700, 500],
        received=[4, 5, 6, 2, 0, 1, 3, 7],
    )


def main() -> None:
    """Write every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    for name, figure in figures().items():
        (output / f"market-{name}.svg").write_text(figure, encoding="utf-8")


def figures() -> dict[str, str]:
    """The figures by design."""
    drawn: dict[str, tuple[str, Callable[[Book], Clearing], Callable[[Clearing], list[str]]]] = {
        "uniform": ("Uniform price: everyone pays and receives the same", uniform.clear, one_price),
        "discriminatory": ("Discriminatory: each trade at its own price", discriminatory.clear, trade_prices),
        "continuous": ("Continuous: trades in the order in which they happened", continuous.clear, trade_prices),
        "mcafee": ("McAfee: two prices, and the market keeps what lies between", mcafee.clear, two_prices),
    }
    return {name: figure(title, mark(clear(example()))) for name, (title, clear, mark) in drawn.items()}


def one_price(clearing: Clearing) -> list[str]:
    """The clearing point, and its price and volume as dashed lines."""
    if clearing.price is None:
        return []
    x, y = at(clearing.volume_wh, clearing.price)
    return [
        line([(LEFT, y), (x, y), (x, BOTTOM)], GREEN, dashed=True),
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{GREEN}"/>',
        text(x + 10, y - 8, f"{clearing.volume_wh:,} Wh at {clearing.price / 10_000:g} ct/kWh", GREEN),
    ]


def trade_prices(clearing: Clearing) -> list[str]:
    """A step for each trade, as wide as its energy, at its price."""
    ends = np.cumsum(clearing.trades.quantity_wh).tolist()
    marks, start = [], 0
    for end, price in zip(ends, clearing.trades.buyer_price.tolist(), strict=True):
        marks.append(line([at(start, price), at(end, price)], GREEN, width=4))
        start = end
    x, y = at(clearing.volume_wh, MOST_PRICE)
    return [*marks, text(x - 60, y + 18, f"{clearing.volume_wh:,} Wh", GREEN)]


def two_prices(clearing: Clearing) -> list[str]:
    """What buyers pay and sellers receive, and between them what the market keeps."""
    pays, receives = int(clearing.trades.buyer_price[0]), int(clearing.trades.seller_price[0])
    (x0, y0), (x1, y1) = at(0, pays), at(clearing.volume_wh, receives)
    box = f'x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
    return [
        f'<rect {box} fill="{GREEN}" opacity="0.25"/>',
        line([(x0, y0), (x1, y0)], GREEN, width=3),
        line([(x0, y1), (x1, y1)], GREEN, width=3),
        text(x0 + 12, (y0 + y1) / 2 + 5, f"kept: {clearing.surplus_nano / 1e7:g} ct", GREEN),
    ]


def figure(title: str, marks: Sequence[str]) -> str:
    """Axes, both curves of the example, and what a design makes of them."""
    book = example()
    axes = [line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], GREY)]
    for energy_wh in range(0, MOST_WH + 1, 500):
        x, y = at(energy_wh, 0)
        axes.append(text(x, y + 18, f"{energy_wh:,}", GREY, anchor="middle"))
    for price in range(0, MOST_PRICE + 1, 50_000):
        x, y = at(0, price)
        axes.append(text(x - 8, y + 4, f"{price // 10_000}", GREY, anchor="end"))
    body = [
        *axes,
        text(LEFT, 22, title, "#222222", size=15),
        text(RIGHT, BOTTOM + 38, "energy, Wh", GREY, anchor="end"),
        text(8, TOP - 6, "ct/kWh", GREY),
        line(steps(demand(book)), BLUE, width=2),
        line(steps(supply(book)), ORANGE, width=2),
        text(*at(1_560, 300_000), "demand", BLUE),
        text(*at(330, 55_000), "supply", ORANGE),
        *marks,
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def steps(curve: Curve) -> list[Point]:
    """The curve's corners: flat along each order, upright between them."""
    points, start = [], 0
    for price, end in zip(curve.price.tolist(), curve.cumulative_wh.tolist(), strict=True):
        points += [at(start, price), at(end, price)]
        start = end
    return points


def at(energy_wh: float, price: float) -> Point:
    """Where in the figure an energy and a price are."""
    return LEFT + (RIGHT - LEFT) * energy_wh / MOST_WH, BOTTOM - (BOTTOM - TOP) * price / MOST_PRICE


def line(points: Sequence[Point], colour: str, *, width: float = 1, dashed: bool = False) -> str:
    """A line through these points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def text(x: float, y: float, words: str, colour: str, *, size: int = 13, anchor: str = "start") -> str:
    """Words that start, end or have their middle at this point."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{words}</text>'
    )


if __name__ == "__main__":
    main()
