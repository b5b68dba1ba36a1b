"""Which endpoints are called without FastAPI's resolver, and that nobody notices."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from hutong.kernel.http.straight import straight
from hutong.kernel.http.strict import StrictRoute


async def who(request: Request) -> str:
    return request.headers.get("x-name", "nobody")


async def guest(request: Request) -> str:
    return request.query_params.get("guest", "alone")


async def paged(request: Request, page: int = 1) -> int:
    return page


def slow(request: Request) -> str:
    return "in a thread"


async def lasting(request: Request) -> Any:
    yield "until the answer is out"


Who = Annotated[str, Depends(who)]
Guest = Annotated[str, Depends(guest)]


async def greet(name: Who, beside: Guest, request: Request) -> Response:
    return Response(f"{request.method} {name} {beside}")


async def of_path(item: str, name: Who) -> Response:
    return Response(item + name)


async def of_page(page: Annotated[int, Depends(paged)]) -> Response:
    return Response(str(page))


async def threaded(name: Annotated[str, Depends(slow)]) -> Response:
    return Response(name)


async def held(name: Annotated[str, Depends(lasting)]) -> Response:
    return Response(name)


async def made_into_json(name: Who) -> dict[str, str]:
    return {"name": name}


def plain(name: Who) -> Response:
    return Response(name)


def app_of(endpoint: Callable[..., Any], path: str = "/") -> FastAPI:
    app = FastAPI()
    app.router.routes.append(StrictRoute(path, endpoint, response_model=None))
    return app


def test_an_endpoint_that_only_asks_who_calls_is_straight() -> None:
    assert straight(APIRoute("/", greet).dependant) is not None

    with TestClient(app_of(greet)) as client:
        assert client.get("/", headers={"x-name": "Ada"}).text == "GET Ada alone"


@pytest.mark.parametrize("endpoint", [of_page, threaded, held, made_into_json, plain])
def test_what_asks_for_more_is_not(endpoint: Callable[..., Any]) -> None:
    assert straight(APIRoute("/", endpoint).dependant) is None


def test_nor_is_what_takes_a_part_of_the_path() -> None:
    assert straight(APIRoute("/{item}", of_path).dependant) is None

    with TestClient(app_of(of_path, "/{item}")) as client:
        assert client.get("/1", headers={"x-name": "Ada"}).text == "1Ada"


def test_nor_is_a_route_whose_router_asks_for_something() -> None:
    route = APIRoute("/", greet, dependencies=[Depends(who)])

    assert straight(route.dependant) is None
