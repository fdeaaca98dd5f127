"""The API's description tells of every problem, and what is answered is described."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from node.problem_meanings import MEANINGS
from node.problems import MEDIA_TYPE, Problem
from tests.node.parts import SLOT
from tests.node.small_node import API_KEY

KEY = {"X-API-Key": API_KEY}
Request = tuple[str, str, str, dict[str, object] | None, dict[str, str]]
ORDER = "0x" + "12" * 32


@pytest.fixture(scope="module")
def described(server: Any) -> dict[str, Any]:
    description: dict[str, Any] = httpx.get(f"{server.url}/openapi.json", timeout=60).json()
    return description


def problems(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        status: response["content"][MEDIA_TYPE]
        for status, response in operation["responses"].items()
        if MEDIA_TYPE in response.get("content", {})
    }


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_its_problems_with_their_codes_and_an_example_each(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        found = problems(operation)
        assert found or path == "/health"
        for status, content in found.items():
            codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert codes == list(content["examples"])
            for code in codes:
                example = content["examples"][code]["value"]
                assert example == Problem(code, MEANINGS[code]).body()
                assert str(example["status"]) == status


def test_every_code_is_some_operations(described: dict[str, Any]) -> None:
    told = {
        code
        for _, _, operation in operations(described)
        for content in problems(operation).values()
        for code in content["examples"]
    }
    # These are about no operation: there is none at the path, or not with the method.
    assert MEANINGS.keys() - told == {"request.method", "request.not_found"}


def test_nothing_refers_to_what_is_not_there(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert "HTTPValidationError" not in str(described)
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


@pytest.mark.parametrize(
    "request_",
    [
        ("POST", "/v1/orders", "/v1/orders", {}, {}),
        ("GET", f"/v1/orders/{ORDER}", "/v1/orders/{order_hash}", None, {}),
        ("GET", "/v1/orders?cursor=x", "/v1/orders", None, {}),
        ("DELETE", f"/v1/orders/{ORDER}", "/v1/orders/{order_hash}", None, {"X-Signature": "0x" + "00" * 65}),
        ("GET", f"/v1/slots/{SLOT + 900}", "/v1/slots/{slot}", None, {}),
        ("GET", f"/v1/slots/{SLOT}/proposal", "/v1/slots/{slot}/proposal", None, {}),
        ("POST", "/v1/members", "/v1/members", {}, {}),
        ("POST", "/v1/clock", "/v1/clock", {"now": 1}, KEY),
        ("GET", "/v1/devices/77", "/v1/devices/{device}", None, {}),
        ("POST", "/v1/transactions", "/v1/transactions", {"raw": "0x02"}, {}),
    ],
)
def test_what_is_answered_is_described(http: httpx.Client, described: dict[str, Any], request_: Request) -> None:
    method, path, route, body, headers = request_
    answer = http.request(method, path, json=body, headers=headers)
    assert HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    assert answer.headers["content-type"] == MEDIA_TYPE
    content = problems(described["paths"][route][method.lower()])[str(answer.status_code)]
    assert answer.json()["code"] in content["examples"]


def test_whatever_passes_by_itself_is_said_to_tell_when_to_come_again(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        for status, response in operation["responses"].items():
            retried = status in ("429", "503") and path != "/health"
            assert ("Retry-After" in response.get("headers", {})) == retried
