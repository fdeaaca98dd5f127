"""Exact arithmetic on int64 arrays whose results would not fit 64 bits if done naively."""

import numpy as np

from matching.book import Ints

_LOW_BITS = 32
_DIGIT_BITS = 8


def exact_sum(values: Ints) -> int:
    """The sum as a Python integer, exact for up to 2**31 entries of any int64 value."""
    high = int((values >> _LOW_BITS).sum())
    low = int((values & (2**_LOW_BITS - 1)).sum())
    return (high << _LOW_BITS) + low


def muldiv(values: Ints, numerator: int, denominator: int) -> tuple[Ints, Ints]:
    """Quotients and remainders of `values * numerator / denominator`, by long division in base 256.

    Bounds, which a book keeps: 0 <= values < 2**31, 0 <= numerator <= denominator <= 2**54. Then no
    intermediate result exceeds 2**63 - 1: a remainder is below 2**54, and 2**54 * 2**8 + 2**31 * 2**8 <
    2**63.
    """
    quotient = np.zeros_like(values)
    remainder = np.zeros_like(values)
    digits = (numerator.bit_length() + _DIGIT_BITS - 1) // _DIGIT_BITS
    for place in reversed(range(digits)):
        digit = (numerator >> (place * _DIGIT_BITS)) & (2**_DIGIT_BITS - 1)
        step, remainder = np.divmod((remainder << _DIGIT_BITS) + values * digit, denominator)
        quotient = (quotient << _DIGIT_BITS) + step
    return quotient, remainder
