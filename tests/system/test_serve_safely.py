"""`wattbook serve` as it is run for real: encrypted keys, TLS, metrics, logs; and what it refuses."""

import datetime as dt
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from ledger.keys import Key
from node.cli.main import app
from node.keystore import PARTIES, Keystore
from tests.node.test_keystore import forms
from tests.system.demo import WATTBOOK, free_port

PASSWORD = "correct horse battery staple"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "us")]),
    )
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


@dataclass(frozen=True)
class Running:
    folder: Path
    url: str
    metrics_url: str
    keys: list[Key]
    http: httpx.Client

    @property
    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


@contextmanager
def started(command: list[str], folder: Path, http: httpx.Client) -> Iterator[None]:
    environment = os.environ | {"WATTBOOK_KEYSTORE_PASSWORD": PASSWORD}
    with (
        (folder / "out").open("w") as out,
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=out, stderr=log, env=environment) as process,
    ):
        try:
            give_up_at = time.monotonic() + 90
            while True:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < give_up_at
                try:
                    if http.get("/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    keystore = Keystore(folder / "keys", scrypt_n=2**4)
    for party in PARTIES:
        keystore.create(party, PASSWORD)
    port, metrics_port = free_port(), free_port()
    cert, key = certificate(folder)
    options = {
        "--data": folder / "data",
        "--port": port,
        "--chain-port": free_port(),
        "--metrics-port": metrics_port,
        "--keystore": folder / "keys",
        "--tls-cert": cert,
        "--tls-key": key,
        "--log-format": "json",
    }
    command = [WATTBOOK, "serve", *(str(part) for option in options.items() for part in option)]
    url, metrics_url = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
    parties = keystore.unlock(PASSWORD)
    keys = [getattr(parties, party) for party in PARTIES]
    trusting = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(base_url=url, verify=trusting, timeout=60) as http, started(command, folder, http):
        yield Running(folder, url, metrics_url, keys, http)


def test_it_is_served_over_tls_and_watched_on_a_port_of_its_own(running: Running) -> None:
    assert running.http.get("/health").json()["status"] == "ok"
    assert running.http.get("/metrics").status_code == 404
    text = httpx.get(running.metrics_url).text
    assert "wattbook_chain_up 1.0" in text
    assert 'wattbook_party_native_wei{party="operator"}' in text
    assert 'wattbook_slots_unfinished{state="open"} 0.0' in text


def test_the_log_names_what_it_is_about_a_line_each(running: Running) -> None:
    order_hash = "0x" + "12" * 32
    running.http.get(f"/v1/orders/{order_hash}")
    running.http.post("/v1/orders", json={})
    requests = [line for line in running.log if line["event"] == "request"]
    found = next(line for line in requests if line.get("order_hash") == order_hash)
    assert (found["route"], found["status"], found["code"]) == ("/v1/orders/{order_hash}", 404, "order.unknown")
    assert 'wattbook_orders_refused_total{code="request.invalid"} 1.0' in httpx.get(running.metrics_url).text


def test_no_private_key_is_in_anything_that_it_writes(running: Running) -> None:
    api_key = (running.folder / "data" / "operator-api-key").read_text()
    member = {"account": "0x" + "77" * 20, "name": "Carla"}
    answers = [
        running.http.post("/v1/members", json=member, headers={"X-API-Key": api_key}),  # signed by the registrar
        running.http.post("/v1/deposits", json={}, headers={"X-API-Key": api_key}),
        running.http.get("/v1/market"),
        running.http.get("/openapi.json"),
        httpx.get(running.metrics_url),
    ]
    assert answers[0].status_code == 200
    written = [path for path in running.folder.rglob("*") if path.is_file() and path.stat().st_size > 0]
    assert {"log", "out", "store.sqlite", "operator.json"} <= {path.name for path in written}
    everything = b"".join([*(path.read_bytes() for path in written), *(answer.content for answer in answers)])
    assert running.keys[0].address in everything  # or else nothing would be found at all
    for key in running.keys:
        assert not any(form in everything for form in forms(key.secret))
    assert PASSWORD.encode() not in everything


class AnotherChain(BaseHTTPRequestHandler):
    """An endpoint that knows its chain id, and nothing else."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "0x5"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def another_chain() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), AnotherChain) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In this process, `serve` neither takes over the log nor, for good, the signals."""
    monkeypatch.setattr(sys.modules["node.cli.serve"], "log_to", lambda *_: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def refusal(*options: object) -> str:
    """The line that `serve` ends with, here in this process, where it starts faster."""
    ended = CliRunner().invoke(app, ["serve", *map(str, options)])
    assert ended.exit_code == 1, ended.output
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stdout == ""
    return ended.stderr


def test_a_port_in_use_is_refused_before_anything_is_written(running: Running, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    command = [
        WATTBOOK,
        "serve",
        "--data",
        str(tmp_path / "data"),
        "--port",
        port,
        "--chain-port",
        str(free_port()),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert not (tmp_path / "data").exists()


def test_a_data_folder_in_use_is_refused(running: Running) -> None:
    said = refusal("--data", running.folder / "data", "--port", free_port(), "--chain-port", free_port())
    assert "chain" in said
    assert "in use" in said or "open" in said


def test_a_chain_out_of_reach_is_told(tmp_path: Path) -> None:
    said = refusal("--data", tmp_path, "--port", free_port(), "--rpc", f"http://127.0.0.1:{free_port()}")
    assert "127.0.0.1" in said


def test_another_chain_than_the_markets_is_refused(running: Running, another_chain: str) -> None:
    said = refusal("--data", running.folder / "data", "--port", free_port(), "--rpc", another_chain)
    assert "the chain here has id 5" in said


def test_a_wrong_password_is_told_and_not_repeated(running: Running, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong one")
    (tmp_path / "password").chmod(0o600)
    options = ("--data", tmp_path / "data", "--keystore", running.folder / "keys")
    said = refusal(*options, "--password-file", tmp_path / "password")
    assert "the password is wrong" in said
    assert "wrong one" not in said


def test_a_certificate_that_is_none_is_refused(running: Running, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    ports = ("--port", free_port(), "--chain-port", free_port())
    said = refusal(
        "--data", tmp_path / "d", *ports, "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "cert.pem"
    )
    assert "cannot be used for TLS" in said


def test_a_chain_that_does_not_have_the_market_is_refused(running: Running, tmp_path: Path) -> None:
    (tmp_path / "deployment.json").write_text((running.folder / "data" / "deployment.json").read_text())
    said = refusal("--data", tmp_path, "--port", free_port(), "--chain-port", free_port())
    assert "this chain has none" in said
