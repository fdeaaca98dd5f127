from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request

from ledger.devchain.errors import CannotListenError
from node.server import Front, TlsError, require_free, require_usable, running_server
from tests.system.demo import free_port

app = FastAPI()
FORWARDED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


@app.get("/who")
async def who(request: Request) -> list[str]:
    assert request.client is not None
    return [request.client.host, request.url.scheme]


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [
        ((), ["127.0.0.1", "http"]),
        (("192.0.2.1",), ["127.0.0.1", "http"]),
        (("127.0.0.1",), ["192.0.2.7", "https"]),
    ],
)
def test_only_a_trusted_proxy_says_where_a_request_came_from(
    proxies: tuple[str, ...], expected: list[str]
) -> None:
    port = free_port()
    with running_server(app, "127.0.0.1", port, Front(proxies=proxies)):
        assert httpx.get(f"http://127.0.0.1:{port}/who", headers=FORWARDED).json() == expected


def test_a_port_is_taken_once() -> None:
    port = free_port()
    require_free("127.0.0.1", port, free_port())
    with running_server(app, "127.0.0.1", port):
        for attempt in (
            lambda: require_free("127.0.0.1", port),
            lambda: running_server(app, "127.0.0.1", port).__enter__(),
        ):
            with pytest.raises(CannotListenError, match=str(port)):
                attempt()
    require_free("127.0.0.1", port)


def test_a_certificate_comes_with_its_key(tmp_path: Path) -> None:
    for front in (Front(certificate=tmp_path / "c"), Front(key=tmp_path / "k")):
        with pytest.raises(TlsError, match="give both"):
            require_usable(front)
    with pytest.raises(TlsError, match="No such file"):
        require_usable(Front(tmp_path / "c", tmp_path / "k"))
