import importlib
import pkgutil
from http import HTTPStatus

import pytest

import node.api
from ledger.certificates.ids import CertificateId
from ledger.certificates.selection import NotEnoughCertificatesError, Part, bundle
from ledger.chain import CallRevertedError
from matching.errors import WattbookError
from matching.orders import InvalidOrderError
from node.problems import STATUS, Problem, problem
from node.refusals import TooLargeOrderError, UncoveredOrderError
from tests.node.parts import SLOT

# Raised while a node is put together or by its tools, never by a request.
NOT_OF_REQUESTS = ("store.foreign", "store.url")


def codes() -> set[str]:
    """The codes of every error that intake, metering, the store, the clock and the API define."""
    for module in pkgutil.iter_modules(node.api.__path__, "node.api."):
        importlib.import_module(module.name)
    found, classes = set(), [WattbookError]
    while classes:
        classes += (kind := classes.pop()).__subclasses__()
        if kind.__module__.startswith(
            ("node.refusals", "node.store", "node.clock", "node.problems", "node.transactions", "ledger.keys")
        ):
            found.add(kind.code)
    return found - set(NOT_OF_REQUESTS)


def test_every_error_of_a_request_has_a_status_of_its_own() -> None:
    assert len(codes()) > 20
    assert codes() <= STATUS.keys()


def test_a_problem_has_the_members_of_the_rfc_and_its_code() -> None:
    body = problem(InvalidOrderError("price", -1, "must be at least 0")).body()
    assert body == {
        "type": "urn:wattbook:problem:order.invalid",
        "title": HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
        "status": 422,
        "detail": "order field 'price' is -1: must be at least 0",
        "code": "order.invalid",
        "field": "price",
    }


def test_amounts_in_a_problem_are_decimal_strings() -> None:
    details = problem(UncoveredOrderError(b"\1" * 20, needed_nano=2**60, free_nano=-5)).details
    assert details == {"needed": str(2**60), "free": "-5"}


def test_an_amount_that_is_too_large_comes_with_the_most_that_it_could_be() -> None:
    assert problem(TooLargeOrderError("order field 'quantity_wh' is 9", 7)).details == {"most_wh": 7}
    with pytest.raises(NotEnoughCertificatesError) as refused:
        bundle([Part(CertificateId(SLOT, 1), 300), Part(CertificateId(SLOT, 2), 200)], 501)
    assert problem(refused.value).details == {"most_wh": 500}


def test_a_contracts_refusal_is_told_in_words_and_in_its_own() -> None:
    found = problem(CallRevertedError("certificates: expired"))
    assert (found.status, found.detail) == (409, "the certificate has expired")
    assert found.details == {"reason": "certificates: expired"}


@pytest.mark.parametrize(
    ("code", "status"),
    [("chain.unavailable", 503), ("chain.step", 502), ("allocation.broken", 500)],
)
def test_what_is_not_the_callers_fault_is_a_server_error(code: str, status: int) -> None:
    assert Problem(code, "").status == status
