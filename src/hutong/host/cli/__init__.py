"""The command line: one module a group of commands.

`hutong --help` lists them; `main` is the console script's entry.
Its page is docs/reference/cli.md.
"""

from hutong.host.cli.main import main

__all__ = ["main"]
