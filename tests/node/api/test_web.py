"""Who may use the API, from where, how often, and what people see of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from node.api.app import create_app
from node.api.limits import visitor
from node.api.operator import scope_needed
from node.api.services import Services
from node.api.web import Web
from node.api_keys import ApiKeyFile, Scope
from node.limits import BURST_S
from tests.node.api.test_orders import assert_problem
from tests.node.small_node import API_KEY, Server


@contextmanager
def web(services: Services, settings: Web) -> Iterator[httpx.Client]:
    server = Server(services, create_app(services, open_to=settings))
    try:
        with httpx.Client(base_url=server.url) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture
def keys(tmp_path: Path, services: Services, server: Server, http: httpx.Client) -> ApiKeyFile:
    found = ApiKeyFile.of(tmp_path)
    server.app.state.services = replace(services, api_keys=found)
    return found


def body(account: str = "0x" + "77" * 20) -> dict[str, str]:
    return {"account": account, "name": "Carla"}


def test_a_key_opens_what_its_scope_names_and_nothing_else(http: httpx.Client, keys: ApiKeyFile) -> None:
    tokens = {scope: keys.new(scope, frozenset({scope}), 0) for scope in Scope}
    for scope, token in tokens.items():
        answer = http.post("/v1/members", json=body(), headers={"X-API-Key": token})
        if scope is Scope.OPERATOR:
            assert answer.status_code == 200
        else:
            assert_problem(answer, 403, "request.forbidden")
    keys.revoke("operator")
    answer = http.post("/v1/members", json=body(), headers={"X-API-Key": tokens[Scope.OPERATOR]})
    assert_problem(answer, 401, "request.unauthorized")
    assert http.post("/v1/members", json=body(), headers={"X-API-Key": API_KEY}).status_code == 200


def test_a_key_in_letters_beyond_ascii_is_just_a_wrong_one(http: httpx.Client) -> None:
    answer = http.post("/v1/members", json=body(), headers={b"X-API-Key": "schlüssel".encode("latin-1")})
    assert_problem(answer, 401, "request.unauthorized")


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/certificates/issue", Scope.ISSUER),
        ("/v1/requests/3/decision", Scope.ISSUER),
        ("/v1/readings/import", Scope.METER),
        ("/v1/devices/1/keys", Scope.OPERATOR),
        ("/v1/clock", Scope.OPERATOR),
        ("/v1/certificates_of_baptism", Scope.OPERATOR),
    ],
)
def test_each_guarded_route_belongs_to_one_scope(path: str, scope: Scope) -> None:
    assert scope_needed(path) is scope


def test_closed_reads_need_a_key_of_any_scope(services: Services, tmp_path: Path) -> None:
    keys = ApiKeyFile.of(tmp_path)
    token = keys.new("auditor", frozenset({Scope.READ}), 0)
    with web(replace(services, api_keys=keys), Web(closed_reads=True)) as client:
        assert_problem(client.get("/v1/orders"), 401, "request.unauthorized")
        assert client.get("/v1/orders", headers={"X-API-Key": token}).status_code == 200
        assert client.get("/health").status_code == 200
        assert_problem(client.post("/v1/orders", json={}), 422, "request.invalid")  # members sign instead


def test_no_page_of_elsewhere_may_use_the_api_unless_it_is_allowed(http: httpx.Client, services: Services) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type"
    allowed = "access-control-allow-origin"
    assert allowed not in http.options("/v1/orders", headers=asked).headers
    assert allowed not in http.get("/v1/market", headers={"Origin": "https://a.example"}).headers
    with web(services, Web(allowed_origins=("https://a.example",))) as client:
        assert client.options("/v1/orders", headers=asked).headers[allowed] == "https://a.example"
        assert (
            client.get("/v1/market", headers={"Origin": "https://a.example"}).headers[allowed]
            == "https://a.example"
        )
        assert allowed not in client.get("/v1/market", headers={"Origin": "https://b.example"}).headers


def test_an_address_that_asks_too_often_is_told_when_to_come_again(services: Services) -> None:
    with web(services, Web(address_rate=0.1)) as client:
        answers = [client.get("/v1/clock") for _ in range(int(0.1 * BURST_S) + 1)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert_problem(answers[-1], 429, "request.too_many")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10
        assert client.get("/health").status_code == 200
        # Nobody gets around it by what it says of itself.
        assert client.get("/v1/clock", headers={"X-Forwarded-For": "10.9.8.7"}).status_code == 429


def test_one_client_is_an_address_or_an_ipv6_network() -> None:
    assert visitor("2001:db8::1") == visitor("2001:db8::ffff:1")
    assert visitor("2001:db8::1") != visitor("2001:db8:0:1::1")
    assert visitor("::ffff:10.0.0.1") == visitor("10.0.0.1") != visitor("10.0.0.2")


class Assets(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs).get("src" if tag in ("script", "img") else "href" if tag == "link" else "")
        if found:
            self.urls.append(found)


@pytest.mark.parametrize(("page", "least"), [("/docs", 3), ("/redoc", 2)])
def test_the_pages_load_nothing_that_the_node_does_not_serve(http: httpx.Client, page: str, least: int) -> None:
    answer = http.get(page)
    assert answer.headers["content-type"].startswith("text/html")
    assets = Assets()
    assets.feed(answer.text)
    specifications = re.findall(r"""(?:url: |spec-url=)['"]([^'"]+)""", answer.text)
    assert specifications == ["/openapi.json"]
    assert len(assets.urls) >= least
    for url in [*assets.urls, *specifications]:
        assert url.startswith("/")
        asset = http.get(url)
        assert asset.status_code == 200
        assert len(asset.content) > 1_000
        if url.endswith(".css"):
            assert not re.search(rb"url\((?!['\"]?data:)|@import", asset.content)


def test_whoever_comes_by_hand_is_shown_the_description(http: httpx.Client) -> None:
    answer = http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
