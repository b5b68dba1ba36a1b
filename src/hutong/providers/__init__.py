"""One folder a vendor: its client, wire schemas, errors, settings and a sandbox that speaks the same wire protocol.

Only `host.wiring` may join a provider to the kernel's ports; apps never import one.
Each has a page in docs/providers/.
"""
