"""Pure building blocks: ids, clocks, text, paging and the root of the error tree; no I/O, no settings.

Anyone may import it; it imports nothing of Hutong.
Its page is docs/kernel/kit.md.
"""
