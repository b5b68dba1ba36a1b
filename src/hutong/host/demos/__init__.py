"""What `hutong demo` does with each app, through its public API only.

Only `host.cli.demo` calls it.
Its page is docs/kernel/host.md.
"""
