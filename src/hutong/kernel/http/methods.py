"""Which methods a path takes, for the `Allow` of a 405. The router names those of the first route that fits only.

Source: RFC 9110 §15.5.6 (a 405 lists the resource's methods).
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The methods with which some route takes this request's path, as `Allow` lists them."""
    return ", ".join(method for method in METHODS if _taken(routes, {**scope, "method": method}))


def _taken(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in routes)
