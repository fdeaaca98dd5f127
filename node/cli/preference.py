"""What an order says of the certificates of the energy it trades, as people write it."""

from enum import StrEnum
from typing import Annotated

import typer

from matching.orders import CertificatePreference


class PreferenceName(StrEnum):
    """A certificate preference's name on the command line."""

    BUNDLED = "bundled"
    UNBUNDLED = "unbundled"
    AUTO_RETIRE = "auto-retire"

    @property
    def preference(self) -> CertificatePreference:
        """What an order says."""
        return CertificatePreference[self.name]


Certificates = Annotated[
    PreferenceName,
    typer.Option(
        "--certificates",
        help="What becomes of the energy's certificates: the buyer holds them (bundled), they are retired against "
        "its consumption (auto-retire), or, if either side says so, the seller keeps them (unbundled).",
    ),
]
