"""The web application: JSON-RPC 2.0 over HTTP POST, single requests and batches."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.chain import ChainError, TransactionRefusedError
from ledger.devchain.chain import DevChain
from ledger.devchain.rpc.account_methods import AccountMethods
from ledger.devchain.rpc.errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    RequestFailedError,
)
from ledger.devchain.rpc.evm_methods import EvmMethods
from ledger.devchain.rpc.methods import ChainMethods, Fields, Method
from ledger.devchain.rpc.params import Json

MAX_REQUEST_BYTES = 8 * 2**20
"""A settlement of 1,024 orders is well under one million bytes, two million digits."""

MAX_BATCH = 1_000

MAX_BATCH_RESPONSE_BYTES = 32 * 2**20
"""Once a batch's answers exceed it, the rest of the batch is refused."""


def create_app(
    chain: DevChain,
    *,
    cors_origins: Sequence[str] = (),
    max_request_bytes: int = MAX_REQUEST_BYTES,
    private_methods: bool = True,
) -> Starlette:
    """An ASGI application that serves `chain` at its root.

    Args:
        chain: the chain; it stays the caller's to close.
        cors_origins: web origins whose pages may call it from a browser, `"*"` for all; default none.
        max_request_bytes: larger request bodies are refused with HTTP status 413.
        private_methods: whether to serve what suits a chain of one's own only: the `evm_` methods, which rewind
            the chain and move its time, and signing with the accounts' keys. Not where a node's market lives.
    """
    methods = dict(ChainMethods(chain).table)
    if private_methods:
        methods |= {**AccountMethods(chain).table, **EvmMethods(chain).table}

    async def answer(request: Request) -> Response:
        # Browsers send this type to other origins only after asking, which CORS then refuses.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refused(INVALID_REQUEST, "content type must be application/json", 415)
        body = await _read_body(request, max_request_bytes)
        if body is None:
            return _refused(INVALID_REQUEST, f"request is larger than {max_request_bytes} bytes", 413)
        try:
            message = from_json(body, allow_inf_nan=False)  # limits nesting, unlike the standard library's parser
        except ValueError:
            return _refused(PARSE_ERROR, "request is not JSON", 400)
        reply = await run_in_threadpool(_reply, methods, message)
        return Response(reply, status_code=204 if reply is None else 200, media_type="application/json")

    cors = Middleware(
        CORSMiddleware, allow_origins=list(cors_origins), allow_methods=["POST"], allow_headers=["content-type"]
    )
    return Starlette(routes=[Route("/", answer, methods=["POST"])], middleware=[cors] if cors_origins else [])


async def _read_body(request: Request, max_bytes: int) -> bytes | None:
    """The body, or None if it is too large; no more than the limit is ever held."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > max_bytes:
            return None
    return bytes(chunks)


def _refused(rpc_code: int, message: str, status: int) -> Response:
    body = _encoded(_error(None, RequestFailedError(rpc_code, message)))
    return Response(body, status_code=status, media_type="application/json")


def _reply(methods: Mapping[str, Method], message: Json) -> bytes | None:
    """What to answer to a request or a batch; None if to nothing of it an answer is due."""
    run = partial(_run, methods)
    if not isinstance(message, list):
        reply = _reply_to_one(run, message)
        return None if reply is None else _encoded(reply)
    if not message:
        return _encoded(_error(None, RequestFailedError(INVALID_REQUEST, "batch is empty")))
    if len(message) > MAX_BATCH:
        reason = f"batch has {len(message)} requests, limit {MAX_BATCH}"
        return _encoded(_error(None, RequestFailedError(INVALID_REQUEST, reason)))
    replies: list[bytes] = []
    size = 0
    for request in message:
        reply = _reply_to_one(run if size <= MAX_BATCH_RESPONSE_BYTES else _refuse_to_run, request)
        if reply is not None:
            replies.append(_encoded(reply))
            size += len(replies[-1])
    return b"[" + b",".join(replies) + b"]" if replies else None


def _reply_to_one(run: Callable[[Fields], Json], request: Json) -> Json:
    """The answer to a request; None to a notification, which is one without an id."""
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
        return _error(None, RequestFailedError(INVALID_REQUEST, "request is not a JSON-RPC 2.0 object"))
    request_id = request.get("id")
    if not isinstance(request_id, str | int | None):
        return _error(None, RequestFailedError(INVALID_REQUEST, "request id is neither a string nor an integer"))
    try:
        reply = {"jsonrpc": "2.0", "id": request_id, "result": run(request)}
    except RequestFailedError as error:
        reply = _error(request_id, error)
    except TransactionRefusedError as error:
        reply = _error(request_id, RequestFailedError(SERVER_ERROR, error.reason))
    except ChainError as error:
        reply = _error(request_id, RequestFailedError(SERVER_ERROR, str(error)))
    return reply if "id" in request else None


def _refuse_to_run(_: Fields) -> Json:
    reason = f"response too large: the batch's answers exceed {MAX_BATCH_RESPONSE_BYTES} bytes"
    raise RequestFailedError(RESPONSE_TOO_LARGE, reason)


def _run(methods: Mapping[str, Method], request: Fields) -> Json:
    name = request.get("method")
    if not isinstance(name, str):
        raise RequestFailedError(INVALID_REQUEST, "request names no method")
    if name not in methods:
        raise RequestFailedError(METHOD_NOT_FOUND, f"the method {name:.80} does not exist/is not available")
    params = request.get("params", [])
    if not isinstance(params, list):
        raise RequestFailedError(INVALID_PARAMS, "invalid params: not a list")
    return methods[name](params)


def _error(request_id: Json, fault: RequestFailedError) -> Json:
    error: dict[str, Json] = {"code": fault.rpc_code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def _encoded(reply: Json) -> bytes:
    return json.dumps(reply, separators=(",", ":")).encode()
