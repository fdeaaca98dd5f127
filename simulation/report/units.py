"""From integers to what people read: kWh, ct/kWh, EUR. Floats for charts, text for tables."""

from fractions import Fraction

import numpy as np

from matching.book import Ints
from simulation.report.charts import Floats

WH_PER_KWH = 1_000
PRICE_PER_CT = 10_000
NANO_PER_EUR = 10**9

NONE = "-"
"""Shown where there is no number."""


def kwh(energy_wh: Ints) -> Floats:
    """Energy in kWh."""
    return energy_wh / WH_PER_KWH


def eur(amounts_nano: Ints) -> Floats:
    """Money in EUR."""
    return amounts_nano / NANO_PER_EUR


def mean_ct_per_kwh(amounts_nano: Ints, energy_wh: Ints) -> Floats:
    """Mean price in ct/kWh of amounts and the energy they were paid for; NaN where there was none."""
    prices = np.full(energy_wh.shape, np.nan)
    np.divide(amounts_nano, energy_wh * PRICE_PER_CT, out=prices, where=energy_wh > 0)
    return prices


def shown_energy(energy_wh: Fraction | int) -> str:
    """Such as `1,234 kWh`, with more decimals the smaller it is."""
    return _shown(Fraction(energy_wh) / WH_PER_KWH, "kWh", 0 if abs(Fraction(energy_wh)) >= 100_000 else 2)


def shown_power(power_w: int) -> str:
    """Such as `12.3 kW`."""
    return _shown(Fraction(power_w, WH_PER_KWH), "kW", 1)


def shown_price(price: Fraction | int | None) -> str:
    """Such as `14.50 ct/kWh`."""
    return NONE if price is None else _shown(Fraction(price) / PRICE_PER_CT, "ct/kWh", 2)


def shown_money(amount_nano: Fraction | int) -> str:
    """Such as `12.35 EUR`."""
    return _shown(Fraction(amount_nano) / NANO_PER_EUR, "EUR", 2)


def shown_share(share: Fraction | None) -> str:
    """Such as `41.3 %`."""
    return NONE if share is None else _shown(share * 100, "%", 1)


def shown_number(number: Fraction | None, decimals: int) -> str:
    """A plain number."""
    return NONE if number is None else f"{float(number):,.{decimals}f}"


def _shown(value: Fraction, unit: str, decimals: int) -> str:
    return f"{float(value):,.{decimals}f} {unit}"
