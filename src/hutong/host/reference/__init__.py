"""The pages of docs/reference, rendered from the running code, so that no list in them can be out of date.

`make docs` writes them; tests/house/test_reference.py proves that the committed ones are current.
Its pages are in docs/reference/.
"""

from hutong.host.reference.openapi_document import render_documents
from hutong.host.reference.pages import render_all

__all__ = ["render_all", "render_documents"]
