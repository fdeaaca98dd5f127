"""The node's durable memory of one market: orders, slots, trades, readings, certificates and intents."""

from node.store.store import Store

__all__ = ["Store"]
