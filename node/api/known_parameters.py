"""Query parameters that a route does not know: refused, as whoever sends one believes that it does something."""

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query

from node.problems import RequestError


async def require_known(request: Request) -> None:
    """Refuse query parameters that the route's description does not name.

    Raises:
        RequestError: there is one.
    """
    if not request.query_params:
        return
    fields = get_flat_params(request.scope["route"].dependant)
    known = {each.alias for each in fields if isinstance(each.field_info, Query)}
    unknown = request.query_params.keys() - known
    if unknown:
        name = min(unknown)[:80]
        listed = ", ".join(sorted(known)) or "none"
        raise RequestError(f"query parameter '{name}' means nothing here; known: {listed}", field=name)
