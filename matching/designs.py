"""The market designs by name, so that a market's design can be a setting."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from matching import continuous, discriminatory, grid, mcafee, preferences, uniform
from matching.book import Book
from matching.result import Clearing
from matching.settings import InvalidSettingError

DESIGNS: Mapping[str, Callable[..., Clearing]] = MappingProxyType(
    {design.DESIGN: design.clear for design in (uniform, discriminatory, continuous, mcafee, preferences, grid)}
)
"""Each design's `clear(book, **settings) -> Clearing`."""


def clear(design: str, book: Book, **settings: object) -> Clearing:
    """Clear a book under the design of this name; `settings` are that design's own.

    Raises:
        InvalidSettingError: there is no such design, or one of the settings is outside its limits.
    """
    if design not in DESIGNS:
        raise InvalidSettingError("design", design, f"must be one of {', '.join(DESIGNS)}")
    return DESIGNS[design](book, **settings)
