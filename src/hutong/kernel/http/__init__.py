"""HTTP both ways: the inbound edge (pure ASGI middleware, strict bodies, limits, idempotency) and the one outbound client.

The host puts the edge around the apps; providers call vendors through `Outbound`; apps use the request pieces.
Its page is docs/kernel/http.md.
"""
