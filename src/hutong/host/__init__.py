"""The composition root: settings joined, providers wired to ports, processes started, the command line.

It may import everything; nothing imports it.
Its page is docs/kernel/host.md.
"""
