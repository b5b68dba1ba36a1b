"""The products, one folder each, every one its own ASGI app with exactly its contract's paths.

`host` mounts them; they use the kernel, never each other and never a vendor.
Their pages are in docs/apps/.
"""
