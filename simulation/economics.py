"""Does a battery pay? Its levelised cost of storage, its net present value, and where both break even.

The levelised cost of storage (LCOS) is Mayr's:

    LCOS = [CAPEX + Σn O&M/(1+r)^n - residual/(1+r)^(N+1)] / [cycles · DoD · C · Σn (1 - DEG·n)/(1+r)^n]
           + charging price / efficiency,   n = 1 … N

that is, what the battery costs over its N years, divided by what it discharges in them, both discounted;
plus what it pays for a discharged Wh. Sold at its LCOS, the energy pays for the battery exactly: the net present
value is zero.

Everything here is exact: integers in, `Fraction`s inside and out, no floats. `nano_floor` makes whole
nano-credits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from matching.errors import WattbookError

PPM = 1_000_000
YEAR_S = 365 * 86_400


class InvalidInvestmentError(WattbookError):
    """A field of an investment is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "economics.investment"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"investment field '{field}' is {value!r}: {limit}")
        self.field = field


def _check(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInvestmentError(field, value, "must be an integer")
    if not low <= value <= high:
        raise InvalidInvestmentError(field, value, f"must be between {low} and {high}")


@dataclass(frozen=True, slots=True)
class Investment:
    """What a battery costs and how much it can discharge over its life.

    Attributes:
        capex_nano: what it costs to buy, nano-credit.
        capacity_wh: nominal capacity C, Wh.
        years: its life N.
        cycles_per_year: full cycles a year, each discharging DoD · C.
        efficiency_ppm: energy discharged per energy charged, in parts per million.
        depth_of_discharge_ppm: share of the capacity that is used, DoD, in parts per million.
        discount_ppm: the yearly discount rate r, in parts per million (4 % = 40,000).
        operation_nano: yearly cost of operation and maintenance, O&M, nano-credit.
        residual_nano: what it is worth in year N + 1, nano-credit.
        degradation_ppm: share of the first year's capacity lost each year, DEG, in parts per million.

    Raises:
        InvalidInvestmentError: a field is outside its limits.
    """

    capex_nano: int
    capacity_wh: int
    years: int = 10
    cycles_per_year: int = 365
    efficiency_ppm: int = 920_000
    depth_of_discharge_ppm: int = 900_000
    discount_ppm: int = 40_000
    operation_nano: int = 0
    residual_nano: int = 0
    degradation_ppm: int = 0

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        _check("capex_nano", self.capex_nano, 0, 2**63 - 1)
        _check("capacity_wh", self.capacity_wh, 1, 2**63 - 1)
        _check("years", self.years, 1, 100)
        _check("cycles_per_year", self.cycles_per_year, 1, 100_000)
        _check("efficiency_ppm", self.efficiency_ppm, 1, PPM)
        _check("depth_of_discharge_ppm", self.depth_of_discharge_ppm, 1, PPM)
        _check("discount_ppm", self.discount_ppm, 0, PPM)
        _check("operation_nano", self.operation_nano, 0, 2**63 - 1)
        _check("residual_nano", self.residual_nano, 0, 2**63 - 1)
        _check("degradation_ppm", self.degradation_ppm, 0, (PPM - 1) // self.years)

    @property
    def efficiency(self) -> Fraction:
        """Energy discharged per energy charged."""
        return Fraction(self.efficiency_ppm, PPM)

    @property
    def discharged_first_year_wh(self) -> Fraction:
        """Energy discharged a year before any degradation, cycles · DoD · C, Wh."""
        return Fraction(self.cycles_per_year * self.capacity_wh * self.depth_of_discharge_ppm, PPM)


REFERENCE = Investment(capex_nano=33_000 * 10**9, capacity_wh=80_000)
"""The community battery of the Groene Mient study.

The study gives the capacity and three values of the LCOS: 31.8 ct/kWh charging at 15 ct/kWh, 25.3 charging at 9,
and 22 charging at 9 with the CAPEX 6,600 EUR (20 %) lower, from which the CAPEX follows. The rest is not
available. The defaults of `Investment` are one set that gives all three values: 31.79, 25.26 and 22.17 ct/kWh.
"""


def lcos(investment: Investment, charging_price: Fraction | int) -> Fraction:
    """Levelised cost of storage, nano-credit per Wh discharged, for a charging price, nano-credit per Wh charged.

    It is also the break-even price: the lowest mean price at which selling all it discharges pays for the battery.
    """
    return lifetime_cost_nano(investment) / lifetime_discharged_wh(investment) + (
        charging_price / investment.efficiency
    )


def lifetime_cost_nano(investment: Investment) -> Fraction:
    """Cost of the battery over its life without charging, discounted, nano-credit: the LCOS's numerator."""
    operation_nano = investment.operation_nano * sum(_discount(investment, year) for year in _years(investment))
    return investment.capex_nano + operation_nano - _residual_nano(investment)


def lifetime_discharged_wh(investment: Investment) -> Fraction:
    """Energy discharged over the battery's life, discounted, Wh: the LCOS's denominator."""
    return investment.discharged_first_year_wh * _discounted_years(investment)


def net_present_value_nano(investment: Investment, gain_per_year_nano: Fraction | int) -> Fraction:
    """Net present value of the battery, nano-credit, given what it earns in a year before any degradation.

    -CAPEX + Σn (gain·(1 - DEG·n) - O&M)/(1+r)^n + residual/(1+r)^(N+1). The gain is revenue less what charging
    costs: the battery's own, or the community's (`BatteryGain`).
    """
    return gain_per_year_nano * _discounted_years(investment) - lifetime_cost_nano(investment)


def margin_per_year_nano(
    investment: Investment, *, selling_price: Fraction | int, charging_price: Fraction | int
) -> Fraction:
    """What it earns in a year before any degradation, if it sells all it discharges, nano-credit.

    Prices are in nano-credit per Wh, the charging price per Wh charged.
    """
    return investment.discharged_first_year_wh * (selling_price - charging_price / investment.efficiency)


def break_even_charging_price(investment: Investment, selling_price: Fraction | int) -> Fraction:
    """The highest mean charging price at which the battery pays, nano-credit per Wh; negative if none does."""
    return (selling_price - lcos(investment, 0)) * investment.efficiency


def break_even_capex_nano(investment: Investment, gain_per_year_nano: Fraction | int) -> Fraction:
    """The highest CAPEX at which the battery pays, nano-credit, given what it earns in a year before degradation.

    Negative if it would not pay even as a present.
    """
    return net_present_value_nano(replace(investment, capex_nano=0), gain_per_year_nano)


@dataclass(frozen=True, slots=True)
class BatteryGain:
    """Who gains from a community battery, nano-credit over a period; negative where somebody loses.

    Attributes:
        own_nano: what the battery itself received less what it paid.
        members_nano: what each of the other members pays less than in the same market without the battery.
        period_s: length of the period, seconds.
    """

    own_nano: int
    members_nano: tuple[int, ...]
    period_s: int

    @property
    def community_nano(self) -> int:
        """What the battery and all other members gain together."""
        return self.own_nano + sum(self.members_nano)

    def per_year_nano(self, gain_nano: int) -> Fraction:
        """A gain of the period scaled to 365 days."""
        return Fraction(gain_nano * YEAR_S, self.period_s)


def battery_gain(
    *,
    bills_without_nano: Sequence[int],
    bills_with_nano: Sequence[int],
    battery_bill_nano: int,
    period_s: int,
) -> BatteryGain:
    """The gain of a battery from the bills of the same members, in the same order, without and with it.

    Args:
        bills_without_nano: what each other member pays in the market without the battery, nano-credit.
        bills_with_nano: what the same members pay in the market with it.
        battery_bill_nano: what the battery's owner pays for its trades; negative if it earned.
        period_s: length of the period both runs cover, seconds, at least 1.

    Raises:
        InvalidInvestmentError: the period is empty, or the members differ in number.
    """
    if period_s < 1:
        raise InvalidInvestmentError("period_s", period_s, "must be at least 1")
    if len(bills_without_nano) != len(bills_with_nano):
        raise InvalidInvestmentError(
            "bills_with_nano", len(bills_with_nano), f"must be of {len(bills_without_nano)} members"
        )
    saved = (without - with_ for without, with_ in zip(bills_without_nano, bills_with_nano, strict=True))
    return BatteryGain(own_nano=-battery_bill_nano, members_nano=tuple(saved), period_s=period_s)


def nano_floor(amount: Fraction) -> int:
    """Whole nano-credits, rounded down, so that neither a gain nor a net present value is overstated."""
    return amount.numerator // amount.denominator


def _years(investment: Investment) -> range:
    return range(1, investment.years + 1)


def _discount(investment: Investment, year: int) -> Fraction:
    return Fraction(PPM, PPM + investment.discount_ppm) ** year


def _discounted_years(investment: Investment) -> Fraction:
    """Sum over the years of (1 - DEG·n)/(1+r)^n."""
    remaining = Fraction(investment.degradation_ppm, PPM)
    return sum(
        ((1 - remaining * year) * _discount(investment, year) for year in _years(investment)), start=Fraction(0)
    )


def _residual_nano(investment: Investment) -> Fraction:
    return investment.residual_nano * _discount(investment, investment.years + 1)
