"""Stands between a validator and a node, and never passes an approval on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class DroppingProxy(ThreadingHTTPServer):
    """Passes reads on; takes an approval and does not answer until it is stopped."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.approved = threading.Event()
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait_for_approval(self) -> None:
        assert self.approved.wait(120), "no approval came"


class _Handler(BaseHTTPRequestHandler):
    server: DroppingProxy

    def do_GET(self) -> None:
        answer = httpx.get(self.server.target + self.path)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["content-type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def do_POST(self) -> None:
        self.server.approved.set()
        self.server.stopped.wait(120)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def dropping_approvals(target: str) -> Iterator[DroppingProxy]:
    proxy = DroppingProxy(target)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopped.set()
        proxy.shutdown()
        thread.join()
        proxy.server_close()
