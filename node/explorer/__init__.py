"""What is on a chain, in words: calls and events of our contracts decoded, with names, amounts and reasons."""

from node.explorer.explorer import Explorer
from node.explorer.router import create_router

__all__ = ["Explorer", "create_router"]
