"""What counts for the 24/7 score: the one definition, for coverage, for disclosures and for whoever verifies them.

Consumption is what loads took, as far as is known by now. What charges a storage is no final consumption: what the
storage gives back counts, when a load takes it.

Cover is what was retired against metered consumption of the same slot and zone, which the Certificates contract
checks. What holders retired by hand is claimed, and not matched: nobody checked a slot, a zone or a purpose. Of
other topics, a storage's charge and an export are no claims of consumption.
"""

from ledger.certificates.claims import Topic
from ledger.devices import DeviceKind

MATCHED_TOPICS = (Topic.MATCHED, Topic.SELF_CONSUMED)
"""The claims that cover consumption."""

CLAIMED_TOPICS = (Topic.RETIRED,)
"""The claims that are listed apart, whatever their purpose."""


def is_final_consumption(kind: DeviceKind) -> bool:
    """Whether what a device of this kind metered is consumption that certificates should cover."""
    return kind is DeviceKind.LOAD
