"""Taking an address of this machine, and serving on it."""

import socket
from contextlib import closing

import pytest

from ledger.devchain import DevChain
from ledger.devchain.errors import CannotListenError
from ledger.devchain.rpc import create_app
from ledger.devchain.rpc.server import address_of, listening, serving
from ledger.jsonrpc import JsonRpcChain


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6"))


@pytest.mark.parametrize("host", ["127.0.0.1", IPV6])
def test_a_chain_is_served_where_it_is_said_to_be(devchain: DevChain, host: str) -> None:
    with (
        listening(host, 0) as listener,
        serving(create_app(devchain), listener),
        closing(JsonRpcChain(f"http://{address_of(listener)}")) as chain,
    ):
        assert chain.head() == devchain.head()


def test_small_answers_do_not_wait_to_be_acknowledged() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # upon which asyncio sets TCP_NODELAY


def test_a_port_is_free_again_as_soon_as_a_server_has_ended(devchain: DevChain) -> None:
    with listening("127.0.0.1", 0) as listener, serving(create_app(devchain), listener):
        port = int(address_of(listener).rpartition(":")[2])
        with (
            closing(JsonRpcChain(f"http://127.0.0.1:{port}")),
            pytest.raises(CannotListenError, match="in use"),
            listening("127.0.0.1", port),
        ):
            pass
    with listening("127.0.0.1", port) as again:
        assert address_of(again) == f"127.0.0.1:{port}"


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(CannotListenError, match=f"port is {port}"), listening("127.0.0.1", port):
        pass
