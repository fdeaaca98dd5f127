"""Draw the figures of `docs/market-designs.md`: what each design makes of the page's example.

    python scripts/plot_market_designs.py [--output DIRECTORY]

Writes plain SVG, the same byte for byte on every run, into `docs/img` unless told otherwise.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any directory, not installed

from matching import continuous, discriminatory, grid, mcafee, preferences, uniform
from matching.book import Book, from_arrays
from matching.crossing import Curve, demand, supply
from matching.grid import Feeder
from matching.orders import Side
from matching.result import Clearing
from matching.wishes import Trait, Wish

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "img"

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 64, 344, 40, 610
MOST_WH, MOST_PRICE = 3_000, 360_000
BLUE, ORANGE, GREEN, GREY, RED, BLACK = "#1f5fa8", "#c8641e", "#2e7d4f", "#666666", "#b3261e", "#222222"
Point = tuple[float, float]

SOURCES = {1: "solar", 2: "wind", 3: "battery"}
SOURCE_COLOURS = {1: ORANGE, 2: BLUE, 3: GREEN}
SOURCE = (0, 0, 0, 0, 1, 2, 3, 3)
WISHES = (
    Wish(row=0, trait=Trait.SOURCE, accepted=frozenset({1}), premium=30_000),
    Wish(row=1, trait=Trait.SOURCE, accepted=frozenset({1}), premium=50_000),
    Wish(row=2, trait=Trait.SOURCE, accepted=frozenset({1, 2})),
)
SUPPLY_X, BIDS_X, BAR, PX_PER_WH, GAP = 190, 390, 16, 0.09, 18

FEEDER = Feeder(parent=(0, 0), capacity_wh=(900, None), fee=(0, 10_000))
NODE = (0, 0, 2, 2, 1, 1, 0, 2)
NODE_AT: tuple[Point, ...] = ((320, 96), (150, 260), (490, 260))
RADIUS = 28


def example() -> Book:
    """The orders of the worked example: four bids, four offers, received in a mixed order."""
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
    crossings = {name: figure(title, mark(clear(example()))) for name, (title, clear, mark) in drawn.items()}
    return crossings | {"preferences": who_gets_what(), "grid": feeder_tree()}


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
    x, y = at(clearing.volume_wh, int(clearing.trades.buyer_price[-1]))
    return [*marks, text(x + 10, y + 4, f"{clearing.volume_wh:,} Wh", GREEN)]


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
        text(RIGHT, BOTTOM + 38, "energy, Wh", GREY, anchor="end"),
        text(8, TOP - 6, "ct/kWh", GREY),
        line(steps(demand(book)), BLUE, width=2),
        line(steps(supply(book)), ORANGE, width=2),
        text(*at(1_060, 288_000), "demand", BLUE),
        text(*at(330, 55_000), "supply", ORANGE),
        *marks,
    ]
    return page(title, body)


def page(title: str, body: Sequence[str]) -> str:
    """A whole figure: white, with its title on top."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    white = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, white, text(LEFT, 22, title, BLACK, size=15), *body, "</svg>", ""])


def who_gets_what() -> str:
    """Design 5: supply by kind on the left, bids on the right, and between them bands as wide as the energy."""
    book = example()
    clearing = preferences.clear(book, wishes=WISHES, source=SOURCE)
    body: list[str] = []
    supply_y: dict[int, float] = {}  # where the next band leaves a source
    bid_y: dict[int, float] = {}  # where the next band reaches a bid
    y: float = TOP + GAP
    for source, name in SOURCES.items():
        offers = [offer for offer in book.offers.tolist() if SOURCE[offer] == source]
        (kind,) = {int(clearing.kind[offer]) for offer in offers}
        filled_wh = sum(int(clearing.fills_wh[offer]) for offer in offers)
        offered_wh = sum(int(book.quantity_wh[offer]) for offer in offers)
        supply_y[source] = y
        body += bar(SUPPLY_X - BAR, y, filled_wh, offered_wh, SOURCE_COLOURS[source])
        lines = [f"{name}, {ct(clearing.kind_price[kind])} ct/kWh", f"{filled_wh:,} of {offered_wh:,} Wh"]
        body += paragraph(SUPPLY_X - BAR - 8, y + 16, lines, SOURCE_COLOURS[source], anchor="end")
        y += offered_wh * PX_PER_WH + GAP
    y = TOP + GAP
    for bid in book.bids.tolist():
        filled_wh, wanted_wh = int(clearing.fills_wh[bid]), int(book.quantity_wh[bid])
        bid_y[bid] = y
        body += bar(BIDS_X, y, filled_wh, wanted_wh, GREY)
        lines = [f"bid of {ct(book.price[bid])}: {filled_wh:,} of {wanted_wh:,} Wh", wish_words(bid)]
        body += paragraph(BIDS_X + BAR + 8, y + 16, lines, BLACK)
        y += wanted_wh * PX_PER_WH + GAP
    trades = clearing.trades
    columns = (trades.buyer, trades.seller, trades.quantity_wh)
    for bid, offer, quantity_wh in sorted(zip(*(column.tolist() for column in columns), strict=True)):
        source, wide = SOURCE[offer], quantity_wh * PX_PER_WH
        body.append(band(supply_y[source], bid_y[bid], wide, SOURCE_COLOURS[source]))
        supply_y[source] += wide
        bid_y[bid] += wide
    return page("Preferences: a price for each kind of energy, and who gets which", body)


def wish_words(bid: int) -> str:
    """What the bid wishes, in words."""
    for wish in WISHES:
        if wish.row == bid:
            liked = " or ".join(SOURCES[source] for source in sorted(wish.accepted))
            return f"only {liked}" if wish.premium is None else f"{ct(wish.premium)} less if not {liked}"
    return "no wish"


def bar(x: float, y: float, filled_wh: int, quantity_wh: int, colour: str) -> list[str]:
    """An upright bar as high as the quantity, full as far as it is filled."""
    heights = (filled_wh * PX_PER_WH, quantity_wh * PX_PER_WH)
    paints = (f'fill="{colour}"', f'fill="none" stroke="{colour}"')
    return [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{height:.1f}" {paint}/>'
        for height, paint in zip(heights, paints, strict=True)
    ]


def band(left_y: float, right_y: float, wide: float, colour: str) -> str:
    """A band from a source's bar to a bid's, both at its upper edge."""
    x0, x1, middle = SUPPLY_X, BIDS_X, (SUPPLY_X + BIDS_X) / 2
    upper = f"M{x0} {left_y:.1f} C{middle:.1f} {left_y:.1f} {middle:.1f} {right_y:.1f} {x1} {right_y:.1f}"
    low_left, low_right = left_y + wide, right_y + wide
    lower = f"L{x1} {low_right:.1f} C{middle:.1f} {low_right:.1f} {middle:.1f} {low_left:.1f} {x0} {low_left:.1f}"
    return f'<path d="{upper} {lower} Z" fill="{colour}" opacity="0.4"/>'


def feeder_tree() -> str:
    """Design 6: the feeder with each node's price and orders, each line's flow, and full lines in red."""
    book = example()
    clearing = grid.clear(book, feeder=FEEDER, node=NODE)
    body: list[str] = []
    for index, (parent, flow_wh) in enumerate(zip(FEEDER.parent, clearing.flow_wh.tolist(), strict=True)):
        body += feeder_line(index, parent, flow_wh, full=index in clearing.full_lines)
    for node, (x, y) in enumerate(NODE_AT):
        price = ct(clearing.node_price[node])
        body.append(f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="white" stroke="{BLACK}" stroke-width="1.5"/>')
        body += [text(x, y + 2, price, BLACK, size=16, anchor="middle")]
        body += [text(x, y + 15, "ct/kWh", GREY, size=10, anchor="middle")]
        members = [row for row, at_node in enumerate(NODE) if at_node == node]
        for nth, row in enumerate(members):
            bid = book.side[row] == Side.BID
            filled_wh, quantity_wh = int(clearing.fills_wh[row]), int(book.quantity_wh[row])
            words = f"{'bid' if bid else 'offer'} of {ct(book.price[row])}: {filled_wh:,} of {quantity_wh:,} Wh"
            colour = BLUE if bid else ORANGE
            if node == 0:
                body.append(text(x + RADIUS + 12, y - 18 + 18 * nth, words, colour))
            else:
                body.append(text(x, y + RADIUS + 22 + 18 * nth, words, colour, anchor="middle"))
    kept = (
        f"kept: {clearing.fees_nano / 1e7:g} ct grid fees, {clearing.congestion_nano / 1e7:g} ct by the full line"
    )
    body.append(text(WIDTH / 2, HEIGHT - 14, kept, GREEN, anchor="middle"))
    return page("Grid-aware: a price at each node, parted by fees and by the full line", body)


def feeder_line(index: int, parent: int, flow_wh: int, *, full: bool) -> list[str]:
    """A line from a node to its parent, an arrow the way the energy goes, and what it carries."""
    (x0, y0), (x1, y1) = NODE_AT[index + 1], NODE_AT[parent]
    if flow_wh < 0:
        (x0, y0), (x1, y1) = (x1, y1), (x0, y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    length = float(np.hypot(x1 - x0, y1 - y0))
    along_x, along_y = (x1 - x0) / length * 9, (y1 - y0) / length * 9
    corners = [
        (x + along_x, y + along_y),
        (x - along_x - along_y, y - along_y + along_x),
        (x - along_x + along_y, y - along_y - along_x),
    ]
    arrow = " ".join(f"{corner_x:.1f},{corner_y:.1f}" for corner_x, corner_y in corners)
    colour = RED if full else GREY
    capacity_wh, fee = FEEDER.capacity_wh[index], FEEDER.fee[index]
    carried = f"{abs(flow_wh):,} Wh" if capacity_wh is None else f"{abs(flow_wh):,} of {capacity_wh:,} Wh"
    lines = [f"line {index}: {carried}", f"fee {ct(fee)} ct/kWh" if fee else "no fee"]
    on_left = NODE_AT[index + 1][0] < NODE_AT[parent][0]
    away, anchor = (-26, "end") if on_left else (26, "start")
    return [
        line([(x0, y0), (x1, y1)], colour, width=4 if full else 2),
        f'<polygon points="{arrow}" fill="{colour}"/>',
        *paragraph(x + away, y - 8, [*lines[:1], "full, " + lines[1]] if full else lines, colour, anchor=anchor),
    ]


def paragraph(x: float, y: float, lines: Sequence[str], colour: str, *, anchor: str = "start") -> list[str]:
    """Lines of words, one under the other; the first one's foot is at this point."""
    return [text(x, y + 17 * nth, words, colour, anchor=anchor) for nth, words in enumerate(lines)]


def ct(price: int) -> str:
    """A price in ct/kWh."""
    return f"{price / 10_000:g}"


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
