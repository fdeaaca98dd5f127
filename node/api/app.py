"""The application: every router, every error, and the limits."""

from fastapi import APIRouter, Depends, FastAPI

from node.api import (
    approvals,
    audits,
    balances,
    bills,
    certificate_actions,
    certificates,
    clock,
    coverage,
    deposits,
    devices,
    energy,
    errors,
    events,
    evidence,
    health,
    market,
    members,
    orders,
    pages,
    readings,
    receipts,
    requests,
    settlements,
    slots,
    statements,
    trades,
    transactions,
    web,
)
from node.api.body_limit import BodyLimit
from node.api.describing import DescribedApp
from node.api.known_parameters import require_known
from node.api.measuring import Measuring
from node.api.operator import require_reader
from node.api.services import Services
from node.api.web import Web
from node.metrics import Metrics

_ROUTERS = (
    market.router,
    orders.router,
    receipts.router,
    slots.router,
    approvals.router,
    audits.router,
    trades.router,
    balances.router,
    bills.router,
    certificate_actions.router,
    certificates.router,
    settlements.router,
    readings.router,
    evidence.router,
    events.router,
    members.router,
    devices.router,
    energy.router,
    deposits.router,
    clock.router,
    transactions.router,
    requests.router,
    coverage.router,
    statements.router,
)


def create_app(
    services: Services, *further: APIRouter, open_to: Web | None = None, metrics: Metrics | None = None
) -> FastAPI:
    """The API over these services, and further resources under `/v1`."""
    settings = open_to or Web()
    app = DescribedApp(
        title="Wattbook",
        description="A local energy market. Energy in Wh, prices in nano-credit per Wh, times in Unix s UTC; "
        "amounts of money are decimal strings of nano-credits (1 credit = 1 EUR). 0.1 ct/kWh = 1,000.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=audits.auditing,
    )
    app.state.services = services
    app.add_middleware(BodyLimit)
    errors.install(app)
    web.install(app, settings)
    if metrics is not None:
        app.add_middleware(Measuring, metrics=metrics, is_logged=settings.log_requests)
    pages.install(app)
    app.include_router(health.router)
    app.include_router(statements.pages)
    readers = [Depends(require_reader)] if settings.closed_reads else []
    readers.append(Depends(require_known))
    for router in (*_ROUTERS, *further):
        app.include_router(router, prefix="/v1", dependencies=readers)
    return app
