"""Requests made up from the API's own description: nothing fails in the node, and every answer is as described.

The node is a real one on its embedded chain, with a slot that was traded, delivered, certified and billed;
requests ask for what is there as often as for what is not.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ledger.hexcodec import to_data
from ledger.statements.model import Kind, Scope
from matching.orders import Side
from node.api.app import create_app
from node.api.services import Services
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, Street, street

# A market without validators proposes nothing to them.
NOT_THERE = ("GET /v1/slots/{slot}/proposal", "GET /v1/slots/{slot}/approvals")
# Otherwise it would never end by itself.
STREAM = "GET /v1/events"
# With a key, it would go on slot by slot to whatever year it is told.
WITHOUT_KEY = ("POST /v1/clock",)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]

SCHEMA = schemathesis.openapi.from_dict(create_app(cast(Services, None)).openapi())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
REQUESTS = st.sampled_from(OPERATIONS).flatmap(
    lambda operation: st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE),
        # What has no parameters cannot be asked for wrongly.
        operation.as_strategy(GenerationMode.NEGATIVE) if has_parameters(operation) else st.nothing(),
    )
)


def has_parameters(operation: Any) -> bool:
    definition = operation.definition.raw
    return bool(definition.get("parameters")) or "requestBody" in definition


class Asked:
    """A node with something in it, and requests to it."""

    def __init__(self, market: Street) -> None:
        self._url = market.node.url
        self._key = market.node.services.operator_api_key
        offer = market.place(SELLER_OF_SUN, Side.OFFER, 3_000, 100_000)
        market.place(BUYER, Side.BID, 1_500, 180_000)
        market.trade_and_deliver(2_500, 1_900)
        scope = Scope(None, market.node.market.id, SLOT, SLOT + 900, "UTC", (), None)
        statement = market.node.services.stating.make(Kind.DISCLOSURE, scope)
        certificate = httpx.get(f"{self._url}/v1/certificates").json()["items"][0]["id"]
        _, sent = market.clients[SELLER_OF_SUN].act("request", device=1, first_slot=SLOT, last_slot=SLOT)
        httpx.post(f"{self._url}/v1/audits", headers={"X-API-Key": self._key}).raise_for_status()
        self.known: dict[str, Any] = {
            "slot": SLOT,
            "first_slot": SLOT,
            "last_slot": SLOT,
            "end_slot": SLOT + 900,
            "account": to_data(market.keys[BUYER].address),
            "month": "2023-11",
            "time_zone": "Europe/Berlin",
            "order_hash": to_data(offer),
            "digest": to_data(statement.digest),
            "certificate": certificate,
            "device": "1",
            "day": SLOT // 86_400,
            "number": 1,
            "transaction_hash": to_data(sent.hash),
            "region": "NL",
        }

    def read_what_is_there(self, case: Case) -> None:
        """Send a question about nothing but what is known: it finds something."""
        case.query = {name: value for name, value in case.query.items() if name in self.known}
        case.headers.clear()
        answer = self.ask(case, about_known=True, with_key=True)
        assert answer.status_code == HTTPStatus.OK, answer.text

    def ask(self, case: Case, *, about_known: bool, with_key: bool) -> Response:
        """Send a request, and hold the answer against the description."""
        if about_known:
            for part in (case.path_parameters, case.query):
                part.update({name: value for name, value in self.known.items() if name in part})
        if case.operation.label == STREAM:
            case.query["follow"] = "false"
        headers = {"X-API-Key": self._key} if with_key and case.operation.label not in WITHOUT_KEY else {}
        answer = case.call(base_url=self._url, headers=headers, timeout=60)
        case.validate_response(answer, checks=CHECKS)
        return answer

    def statement(self, form: str, headers: dict[str, str] | None = None) -> httpx.Response:
        path = f"{self._url}/v1/statements/{self.known['digest']}"
        return httpx.get(path, params={"format": form}, headers=headers)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with street(tmp_path_factory.mktemp("described")) as market:
        yield Asked(market)


def many(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_what_is_there_is_answered_as_described(asked: Asked, operation: Any) -> None:
    @many(1)
    @given(operation.as_strategy())
    def run(case: Case) -> None:
        if operation.method.upper() == "GET" and operation.label not in NOT_THERE:
            asked.read_what_is_there(case)
        else:
            asked.ask(case, about_known=True, with_key=True)

    run()


@pytest.mark.parametrize("form", ["json", "jws", "pdf", "csv"])
def test_a_statement_is_not_sent_twice(asked: Asked, form: str) -> None:
    first = asked.statement(form)
    assert (first.status_code, first.headers["cache-control"]) == (HTTPStatus.OK, "public, max-age=3600")
    again = asked.statement(form, {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
    assert asked.statement(form, {"If-None-Match": '"another"'}).content == first.content


@many(100)
@given(case=REQUESTS, about_known=st.booleans(), with_key=st.booleans())
def test_whatever_is_asked_is_answered_as_described(
    asked: Asked, case: Case, about_known: bool, with_key: bool
) -> None:
    asked.ask(case, about_known=about_known, with_key=with_key)


@pytest.mark.slow
@many(600)
@given(case=REQUESTS, about_known=st.booleans(), with_key=st.booleans())
def test_whatever_is_asked_for_long_is_answered_as_described(
    asked: Asked, case: Case, about_known: bool, with_key: bool
) -> None:
    asked.ask(case, about_known=about_known, with_key=with_key)
