"""Pages for people: the API's description, readable without any network, and the way to it."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

_ASSETS = "/assets"
# The package that ships Swagger UI and Redoc as their makers build them.
_PACKAGE = "fastapi_offline"

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Add the pages, and what they are made of."""
    app.include_router(router)
    app.mount(_ASSETS, StaticFiles(directory=Path(str(files(_PACKAGE) / "static"))))


@router.get("/")
async def root(request: Request) -> RedirectResponse:
    """Show whoever comes by hand around."""
    return RedirectResponse(f"{_root(request)}/docs")


@router.get("/docs")
async def swagger_ui(request: Request) -> HTMLResponse:
    """The API's description, to try it out."""
    root = _root(request)
    return get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="Wattbook: API",
        swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
    )


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """The API's description, to read it."""
    root = _root(request)
    return get_redoc_html(
        openapi_url=f"{root}/openapi.json",
        title="Wattbook: API",
        redoc_js_url=f"{root}{_ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{root}{_ASSETS}/favicon.png",
        with_google_fonts=False,
    )


def _root(request: Request) -> str:
    """The path under which a proxy has put us."""
    return str(request.scope.get("root_path", "")).rstrip("/")
