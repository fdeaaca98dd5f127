"""All kinds of tampering of the campaign."""

from collections.abc import Sequence

from tests.ledger.audit.campaign import correcting, forging, issuing, spending, storing
from tests.ledger.audit.campaign.kind import Kind

KINDS: Sequence[Kind] = (*issuing.KINDS, *spending.KINDS, *correcting.KINDS, *storing.KINDS, *forging.KINDS)
