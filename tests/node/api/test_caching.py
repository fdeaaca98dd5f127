"""What can no longer change is not sent twice; what still can is never kept."""

from dataclasses import replace

import httpx
import pytest

from node.api.services import Services
from tests.node.parts import SLOT, confirmed, intent
from tests.node.progress import certify, settle

PATHS = (
    f"/v1/slots/{SLOT}",
    f"/v1/slots/{SLOT}/book",
    f"/v1/slots/{SLOT}/depth",
    f"/v1/trades?slot={SLOT}",
    f"/v1/orders?slot={SLOT}",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_certified_slot_is_not_sent_twice(http: httpx.Client, services: Services, path: str) -> None:
    settle(services)
    changing = http.get(path)
    assert changing.headers["cache-control"] == "no-cache"
    assert "etag" not in changing.headers
    certify(services)
    first = http.get(path)
    assert first.headers["cache-control"] == "public, max-age=3600"
    for names in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = http.get(path, headers={"If-None-Match": names})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = http.get(path, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_a_slot_is_not_kept_while_a_step_of_it_can_be_taken_back(http: httpx.Client, services: Services) -> None:
    settle(services)
    certify(services)
    services.store.record_intent(intent(SLOT, "deliver"))
    services.store.note_intent(replace(confirmed(intent(SLOT, "deliver"), 13), is_final=False))
    assert "etag" not in http.get(PATHS[0]).headers
    services.store.note_intent(confirmed(intent(SLOT, "deliver"), 13))
    assert "etag" in http.get(PATHS[0]).headers


def test_an_answer_to_an_api_key_is_for_nobody_elses_cache(http: httpx.Client, services: Services) -> None:
    settle(services)
    certify(services)
    assert http.get(PATHS[0], headers={"X-API-Key": "k"}).headers["cache-control"] == "private, max-age=3600"


def test_lists_over_many_slots_are_never_kept(http: httpx.Client, services: Services) -> None:
    settle(services)
    certify(services)
    for path in ("/v1/trades", "/v1/slots", "/v1/orders", "/v1/settlements"):
        assert "etag" not in http.get(path).headers
