"""What is let go of: certificates that expired, and the details of those of which everything is retired."""

from ledger.audit.guarantee_comparison import GuaranteeComparison
from ledger.audit.guarantees import Guarantees, kind_of, slot_of
from ledger.audit.model import Totals
from ledger.certificates.ids import CertificateKind


def drop_expired(
    guarantees: Guarantees, totals: Totals, comparison: GuaranteeComparison, *, now: int, lifetime_s: int
) -> dict[int, int]:
    """Compare what expired with storage, count it, and let it go: nothing can happen to it any more.

    Returns:
        by id, what it had been issued for.
    """
    expired = Guarantees(
        certificates={
            id_: state for id_, state in guarantees.certificates.items() if slot_of(id_) + lifetime_s <= now
        },
        spent={id_: each for id_, each in guarantees.spent.items() if slot_of(id_) + lifetime_s <= now},
    )
    comparison.certificates(expired.certificates.items())
    add_certificates(totals, expired)
    for id_ in expired.certificates:
        del guarantees.certificates[id_]
    for id_ in expired.spent:
        del guarantees.spent[id_]
    for by_id in (guarantees.gone_wh, guarantees.debts_since_wh):
        for id_ in [id_ for id_ in by_id if slot_of(id_) + lifetime_s <= now]:
            del by_id[id_]
    for key in [key for key in guarantees.metered_wh if key[1] + lifetime_s <= now]:
        del guarantees.metered_wh[key]
    gone = {id_: metered_wh for id_, (_, metered_wh) in expired.spent.items()}
    return gone | {id_: state.metered_wh for id_, state in expired.certificates.items()}


def keep_spent(guarantees: Guarantees, comparison: GuaranteeComparison) -> None:
    """Compare certificates that are all retired with storage; only a correction can still happen to them."""
    spent = {
        id_: state
        for id_, state in guarantees.certificates.items()
        if not state.is_withdrawn and not any(state.held_wh.values())
    }
    comparison.certificates(spent.items(), may_be_withdrawn=True)
    for id_, state in spent.items():
        guarantees.spent[id_] = (state.issued_wh, state.metered_wh)
        del guarantees.certificates[id_]


def add_certificates(totals: Totals, guarantees: Guarantees) -> None:
    """Count what was issued and retired; consumption, and what is frozen, aside."""
    for id_, state in guarantees.certificates.items():
        if kind_of(id_) != CertificateKind.CONSUMPTION:
            frozen_wh = state.all_held_wh if state.is_withdrawn else 0
            totals.issued_wh += state.issued_wh - frozen_wh
            totals.retired_wh += state.all_retired_wh
    for id_, (issued_wh, _) in guarantees.spent.items():
        if kind_of(id_) != CertificateKind.CONSUMPTION:
            totals.issued_wh += issued_wh
            totals.retired_wh += issued_wh
