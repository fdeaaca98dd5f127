"""Certificates of a run and the 24/7 score, per member and for the community, from the tables alone.

Every Wh generated is certified for its slot. A certificate is retired for consumption of the same slot only: a
member's own generation for what it consumes itself, and the rest along its trades. So certificates of energy
that was stored, exported or sold to a battery are not retired for a household's consumption, and a Wh from a
battery has none. The 24/7 score is the share of the consumption that is covered in its own slot (a
quarter-hour, stricter than the hour of EnergyTag's granular certificates and of 24/7 carbon-free energy); the
yearly balance, which ordinary guarantees of origin go by, stands beside it.
"""

from dataclasses import dataclass
from fractions import Fraction

from simulation.results import Results


@dataclass(frozen=True, slots=True)
class CertificateBalance:
    """Certificates of a member, or of the community, over a run; all in Wh.

    Attributes:
        consumption_wh: what it consumed.
        issued_wh: issued to it: Σt generation.
        retired_wh: retired for its consumption: Σt consumption covered by the community's generation of the slot.
        stored_wh: consumption covered by the community's generation of earlier slots, without certificates.
    """

    consumption_wh: int
    issued_wh: int
    retired_wh: int
    stored_wh: int

    @property
    def score_24_7(self) -> Fraction | None:
        """Share of the consumption covered in its own slot: retired / consumption; None without consumption."""
        return _share(self.retired_wh, self.consumption_wh)

    @property
    def score_with_storage(self) -> Fraction | None:
        """The same with what storages gave of the community's generation: (retired + stored) / consumption."""
        return _share(self.retired_wh + self.stored_wh, self.consumption_wh)

    @property
    def matched_over_the_run(self) -> Fraction | None:
        """What ordinary guarantees of origin would claim: min(issued, consumption) / consumption, over the run."""
        return _share(min(self.issued_wh, self.consumption_wh), self.consumption_wh)


def member_certificates(results: Results) -> list[CertificateBalance]:
    """Each member's certificates, in the order of the run's members."""
    m = results.members
    columns = (m["consumption_wh"], m["generation_wh"], m["from_generation_wh"], m["from_storage_wh"])
    return [
        CertificateBalance(*sums)
        for sums in zip(*(column.sum(axis=1).tolist() for column in columns), strict=True)
    ]


def certificates(results: Results) -> CertificateBalance:
    """The community's certificates: the sums over its members."""
    members = member_certificates(results)
    return CertificateBalance(
        consumption_wh=sum(member.consumption_wh for member in members),
        issued_wh=sum(member.issued_wh for member in members),
        retired_wh=sum(member.retired_wh for member in members),
        stored_wh=sum(member.stored_wh for member in members),
    )


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
