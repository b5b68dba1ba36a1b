"""`python -m benchmarks.chat_socket_floor PORT`: a bare WebSocket endpoint on the same server, for `chat_sockets`."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hutong.host.processes import WIRE


async def endpoint(socket: WebSocket) -> None:
    """Accept, take one frame, answer it, and wait for more."""
    await socket.accept()
    try:
        await socket.receive_text()
        await socket.send_text('{"type":"ready"}')
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return


def main() -> None:
    """Serve it until the process is ended."""
    app = Starlette(routes=[WebSocketRoute("/chat/api/v1/ws", endpoint)])
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", backlog=2048, **{**WIRE, "lifespan": "off"}
    )


if __name__ == "__main__":
    main()
