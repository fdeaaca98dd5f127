"""The data sets of homes that are shipped, by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from simulation.community import Community
from simulation.fontana import load_fontana
from simulation.groene_mient import load_groene_mient

DATASETS: Mapping[str, Callable[[], Community]] = MappingProxyType(
    {"fontana": load_fontana, "groene-mient": load_groene_mient}
)
