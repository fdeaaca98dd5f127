"""The store: all its parts in one."""

from node.store.approvals import Approvals
from node.store.billing import BillingRows
from node.store.documents import Documents
from node.store.events import Events
from node.store.groups import Groups
from node.store.intents import Intents
from node.store.members import Members
from node.store.posted import Posted
from node.store.progress import Progress
from node.store.readings import Readings
from node.store.results import Results
from node.store.sent import Sent
from node.store.standings import Standings


class Store(
    Progress,
    Posted,
    Groups,
    Approvals,
    Results,
    Members,
    Readings,
    Intents,
    Sent,
    Documents,
    BillingRows,
    Standings,
    Events,
):
    """The node's durable memory of one market. See `Database` for how it is opened and what a method promises."""
