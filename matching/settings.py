"""Settings that several market designs share, and the error for one outside its limits."""

from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from matching.errors import WattbookError
from matching.orders import MAX_PRICE

HALF = Fraction(1, 2)

Choice = TypeVar("Choice", bound=StrEnum)


class InvalidSettingError(WattbookError):
    """A setting of a market design is outside its limits.

    Attributes:
        setting: the name of the setting.
    """

    code = "matching.setting"

    def __init__(self, setting: str, value: object, limit: str) -> None:
        super().__init__(f"setting '{setting}' is {value!r}: {limit}")
        self.setting = setting


def price_in_interval(low: int, high: int, k: Fraction, tick: int) -> int:
    """The price `low + k (high - low)`, rounded down onto `tick`, but never out of the interval.

    If rounding down leaves the interval, the price is the next multiple above if that lies inside; if no
    multiple does, it is the unrounded price, rounded down to a whole nano-credit. k = 0 favours buyers, 1
    sellers.

    Source: the k-double auction of Chatterjee and Samuelson (1983), Satterthwaite and Williams (1989).
    """
    price = low + (high - low) * k.numerator // k.denominator
    below = price - price % tick
    if below >= low:
        return below
    above = below + tick
    return above if above <= high else price


def require_pricing(k: Fraction, tick: int) -> None:
    """Refuse settings of `price_in_interval` that are outside their limits.

    Raises:
        InvalidSettingError: `k` is not a Fraction in 0 … 1, or `tick` not an integer in 1 … `MAX_PRICE`.
    """
    if not isinstance(k, Fraction) or not 0 <= k <= 1:
        raise InvalidSettingError("k", k, "must be a Fraction between 0 and 1")
    if not isinstance(tick, int) or not 1 <= tick <= MAX_PRICE:
        raise InvalidSettingError("tick", tick, f"must be an integer between 1 and {MAX_PRICE}")


def choice(setting: str, value: str, options: type[Choice]) -> Choice:
    """The option that a setting names.

    Raises:
        InvalidSettingError: it names none.
    """
    try:
        return options(value)
    except ValueError as error:
        names = ", ".join(option.value for option in options)
        raise InvalidSettingError(setting, value, f"must be one of {names}") from error
