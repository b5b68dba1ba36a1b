"""`python -m hutong` is the same as `hutong`."""

from hutong.host.cli import main

main()
