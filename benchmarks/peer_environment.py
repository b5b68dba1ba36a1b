"""Environments of the peers, one each in `.bench/`, from the hashed locks in benchmarks/peers; ours stays untouched."""

import re
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

from rich.console import Console

PEERS = Path(__file__).with_name("peers")
CACHE = Path(__file__).parents[1] / ".bench"
console = Console(stderr=True)


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made first where it is missing or its lock has changed.

    Raises:
        subprocess.CalledProcessError: its packages could not be installed; the installer's own message is above.
    """
    lock = PEERS / f"{peer}.lock"
    folder = CACHE / f"{peer}-{sha256(lock.read_bytes()).hexdigest()[:12]}"
    python, stamp = folder / "bin/python", folder / ".complete"
    if not stamp.exists():
        console.print(f"Installing {peer} into an environment of its own")
        venv.create(folder, clear=True)
        words = ["--quiet", "--no-config", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        uv = Path(sys.executable).with_name("uv")  # pip needs minutes for a peer of 260 packages, and fails with torch
        subprocess.run([uv, "pip", "install", "--python", python, *words, "-r", lock], check=True, stdout=sys.stderr)
        stamp.touch()
    return python


def version_of(peer: str, package: str) -> str:
    """`package 1.2.3`, as the peer's lock has it."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", (PEERS / f"{peer}.lock").read_text("utf-8"), re.MULTILINE)
    return f"{package} {found[1] if found else '?'}"
