"""Mail through an SMTP server: the client, and a sandbox server that shows what it was given.

Only `host` imports it; the port lies in `kernel.mail`. Its page is docs/providers/smtp.md.
"""
