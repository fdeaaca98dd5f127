"""Codes by which a certificate says what its energy was generated from, and how.

The European Energy Certificate System (EECS) gives each energy source and each technology a code: a letter and two
digits a level, 00 for "unspecified". Source: EECS Rules, Fact Sheet 5, "Types of energy inputs and technologies"
(Association of Issuing Bodies, release 7.7). Here are the ones that a local community meets and the main groups of
the others; the contracts take any code, as its digits.
"""

from collections.abc import Mapping
from types import MappingProxyType

from matching.errors import WattbookError

_FUEL_DIGITS, _TECHNOLOGY_DIGITS = 8, 6

TECHNOLOGIES: Mapping[str, str] = MappingProxyType(
    {
        "T010000": "Solar",
        "T010100": "Solar: photovoltaic",
        "T010101": "Solar: photovoltaic, classic silicon",
        "T010102": "Solar: photovoltaic, thin film",
        "T010200": "Solar: concentration",
        "T020000": "Wind",
        "T020001": "Wind: onshore",
        "T020002": "Wind: offshore",
        "T030000": "Hydro-electric head",
        "T030100": "Hydro-electric head: run of river",
        "T030200": "Hydro-electric head: storage",
        "T030300": "Hydro-electric head: pure pumped storage",
        "T030400": "Hydro-electric head: mixed pumped storage",
        "T040000": "Marine",
        "T050000": "Thermal",
        "T050500": "Thermal: internal combustion engine",
        "T050700": "Thermal: Stirling engine",
        "T050800": "Thermal: fuel cell",
        "T060000": "Nuclear",
        "T070000": "Other",
    }
)
"""Names of technologies by code."""

FUELS: Mapping[str, str] = MappingProxyType(
    {
        "F00000000": "Unspecified",
        "F01000000": "Renewable",
        "F01010000": "Renewable: solid",
        "F01020000": "Renewable: liquid",
        "F01030000": "Renewable: gaseous",
        "F01040100": "Renewable: heat, solar",
        "F01040200": "Renewable: heat, geothermal",
        "F01050100": "Renewable: mechanical source or other, wind",
        "F01050200": "Renewable: mechanical source or other, hydro and marine",
        "F02000000": "Fossil",
        "F02010100": "Fossil: solid, hard coal",
        "F02020000": "Fossil: liquid",
        "F02030100": "Fossil: gaseous, natural gas",
        "F03000000": "Nuclear",
        "F03010100": "Nuclear: solid, radioactive fuel",
    }
)
"""Names of energy sources by code."""

PHOTOVOLTAIC = "T010100"
"""Photovoltaic modules of a kind that nobody noted."""

SOLAR = "F01040100"
"""Sunlight."""

# Of which energy sources a technology can be, by the beginning of its digits; thermal plants burn what they burn.
_SOURCES = {1: "010401", 2: "010501", 3: "010502", 4: "010502", 6: "03"}


class EecsCodeError(WattbookError):
    """A code has not the form that EECS codes have, or two codes do not go together."""

    code = "device.eecs_code"


def technology_number(code: str) -> int:
    """The digits of a technology code, e.g. 10100 of `T010100`.

    Raises:
        EecsCodeError: it is no technology code.
    """
    return _number("technology", code, "T", _TECHNOLOGY_DIGITS)


def fuel_number(code: str) -> int:
    """The digits of an energy source code, e.g. 1040100 of `F01040100`.

    Raises:
        EecsCodeError: it is no energy source code.
    """
    return _number("fuel", code, "F", _FUEL_DIGITS)


def technology_code(number: int) -> str:
    """The technology code with these digits."""
    return f"T{number:0{_TECHNOLOGY_DIGITS}d}"


def fuel_code(number: int) -> str:
    """The energy source code with these digits."""
    return f"F{number:0{_FUEL_DIGITS}d}"


def technology_name(number: int) -> str:
    """What people call a technology: its own name, or that of the narrowest group that we know."""
    return _name(technology_code(number), TECHNOLOGIES)


def fuel_name(number: int) -> str:
    """What people call an energy source: its own name, or that of the narrowest group that we know."""
    return _name(fuel_code(number), FUELS)


def require_pair(technology: int, fuel: int) -> None:
    """Refuse a technology that cannot be of that energy source, such as a windmill on sunlight.

    Raises:
        EecsCodeError: the two do not go together.
    """
    needed = _SOURCES.get(technology // 10_000, "")
    if not fuel_code(fuel)[1:].startswith(needed):
        raise EecsCodeError(
            f"device field 'fuel' is {fuel_code(fuel)}: must begin with F{needed} "
            f"for technology {technology_code(technology)}"
        )


def _number(field: str, code: str, letter: str, digits: int) -> int:
    number = code.removeprefix(letter)
    if len(code) != digits + 1 or len(number) != digits or not (number.isascii() and number.isdigit()):
        raise EecsCodeError(f"device field '{field}' is {code!r}: must be {letter} and {digits} digits")
    return int(number)


def _name(code: str, names: Mapping[str, str]) -> str:
    for kept in range(len(code), 0, -2):
        group = code[:kept].ljust(len(code), "0")
        if group in names:
            return names[group]
    return code
