"""The community's connection to the grid."""

from dataclasses import dataclass

from agents.devices.limits import require


@dataclass(frozen=True, slots=True)
class GridConnection:
    """What the connection can carry.

    Attributes:
        max_import_w: into the community, W; None if there is no limit.
        max_export_w: out of it, W; None if there is no limit.

    Raises:
        InvalidDeviceError: a field is outside its limits.
    """

    max_import_w: int | None = None
    max_export_w: int | None = None

    def __post_init__(self) -> None:
        """Check both limits."""
        for field in ("max_import_w", "max_export_w"):
            if getattr(self, field) is not None:
                require(field, getattr(self, field), 0)
