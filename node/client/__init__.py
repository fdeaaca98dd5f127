"""The Python client: takes part in a market over HTTP, for one member. All there is to import of it is here.

`WattbookClient` blocks, `AsyncWattbookClient` is awaited; both can do the same. See docs/api.md.
"""

from node.client.awaiting import AsyncWattbookClient
from node.client.blocking import WattbookClient
from node.client.calls import Call, Request, operation
from node.client.described import ask
from node.client.errors import (
    ApiProblemError,
    NoKeyError,
    ReceiptError,
    TransactionFailedError,
    UnexpectedAnswerError,
    UnreachableError,
    WrongTransactionError,
)
from node.client.following import EventAnswer

__all__ = [
    "ApiProblemError",
    "AsyncWattbookClient",
    "Call",
    "EventAnswer",
    "NoKeyError",
    "ReceiptError",
    "Request",
    "TransactionFailedError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "WattbookClient",
    "WrongTransactionError",
    "ask",
    "operation",
]
