"""The market designs by name, so that a market's design can be a setting."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from matching import uniform
from matching.result import Clearing

DESIGNS: Mapping[str, Callable[..., Clearing]] = MappingProxyType({uniform.DESIGN: uniform.clear})
"""Each design's `clear(book, **settings) -> Clearing`."""
