"""A run's indicators as one flat row, for tables over many runs.

Energy, power, money and prices are whole Wh, W, nano-credits and nano-credits per Wh, prices rounded down; shares
are floats, and None where they have no meaning.
"""

from fractions import Fraction

from simulation.certificates import certificates
from simulation.connection import peaks
from simulation.economics import nano_floor
from simulation.prices import mean_price
from simulation.results import Results, bills_nano
from simulation.supply import supply

Row = dict[str, int | float | str | None]


def summary(results: Results) -> Row:
    """The run's indicators by name, always the same names in the same order."""
    energy, peak, price = supply(results), peaks(results), mean_price(results)
    bills = dict(zip(results.info.members, bills_nano(results), strict=True))
    storages_nano = sum(bills[name] for name in results.info.storages)
    return {
        "slots": len(results.slots["slot"]),
        "consumption_wh": energy.consumption_wh,
        "generation_wh": energy.generation_wh,
        "imported_wh": energy.imported_wh,
        "exported_wh": energy.exported_wh,
        "lost_wh": energy.lost_wh,
        "from_generation_wh": energy.from_generation_wh,
        "from_storage_wh": energy.from_storage_wh,
        "from_initial_wh": energy.from_initial_wh,
        "from_utility_wh": energy.from_utility_wh,
        "self_sufficiency": _float(energy.self_sufficiency),
        "self_consumption": _float(energy.self_consumption),
        "score_24_7": _float(certificates(results).score_24_7),
        "highest_import_w": peak.import_w,
        "highest_export_w": peak.export_w,
        "traded_wh": int(results.slots["traded_wh"].sum()),
        "mean_price": None if price is None else nano_floor(price),
        "households_bills_nano": sum(bills.values()) - storages_nano,
        "storages_bills_nano": storages_nano,
    }


def _float(share: Fraction | None) -> float | None:
    return None if share is None else float(share)
