"""Holds a node's store against what the audit found on chain, record by record and column by column.

What the chain knows is compared with it; what it does not know is checked by the signatures on it (orders that
did not trade, receipts, cancellations, readings) and by clearing the book again. Names and the times at which
readings came in are the node's own notes: nothing depends on them and nothing proves them.
"""

from node.reconcile.run import Reconciliation

__all__ = ["Reconciliation"]
