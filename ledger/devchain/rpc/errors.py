"""What a request can be answered with instead of a result (JSON-RPC 2.0, section 5.1; EIP-1474)."""

from ledger.chain import ChainError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
"""What geth answers with when the chain itself refuses."""

RESPONSE_TOO_LARGE = -32003
"""geth's code for what is left of a batch once its answers have become too large."""

LIMIT_EXCEEDED = -32005
"""EIP-1474's code for asking too much at once; clients that know it ask for less."""

EXECUTION_REVERTED = 3
"""geth's code for a reverted call; what it reverted with comes as data."""


class RequestFailedError(ChainError):
    """A request that is answered with an error object.

    Attributes:
        rpc_code: the JSON-RPC error code.
        message: what was wrong.
        data: more about it, for programs.
    """

    code = "devchain.request_failed"

    def __init__(self, rpc_code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.message = message
        self.data = data


class InvalidParamsError(RequestFailedError):
    """A parameter is missing or is not what the method takes."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(INVALID_PARAMS, f"invalid params: {name}: {problem}")
