"""Hutong: one platform for consumer-AI backends, five apps on one kernel.

`kit` is pure, `kernel` is what every app needs, `providers` speak to vendors, `apps` are the products, `host` puts them
together. Imports point down that list; `docs/map.md` shows every folder.
"""

__version__ = "0.1.0"
