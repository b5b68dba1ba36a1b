"""The description of this app's API: what each route answers, and `openapi.yaml`, the document as it was agreed.

`python -m hutong.host.reference` writes the document; a test proves that the running app describes itself so.
Its page is docs/apps/chat/README.md, the contract in words docs/apps/chat/contract.md.
"""
