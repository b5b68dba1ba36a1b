"""S3 and what speaks its protocol as an object storage: client of the port `kernel.files.Storage`, and settings.

Only `host/wiring.py` calls it. Its page is docs/providers/s3.md.
"""
