"""Aliyun OSS as an object storage: client of the port `kernel.files.Storage`, settings, and a sandbox.

Only `host/wiring.py` and `host/sandboxes.py` call it. Its page is docs/providers/oss.md.
"""
