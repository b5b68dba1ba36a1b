"""`python -m hutong.host.reference [FOLDER]`: write the pages into docs/reference, and the apps' API descriptions.

With a folder, only the pages, into it.
"""

import sys
from pathlib import Path

from hutong.host.reference import render_all, render_documents


def main() -> None:
    """Write every page and document and say which ones changed."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / name: text for name, text in render_all().items()}
    if len(sys.argv) == 1:
        files |= render_documents()
    for path, text in files.items():
        changed = not path.is_file() or path.read_text("utf-8") != text
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path}: {'written' if changed else 'unchanged'}\n")


if __name__ == "__main__":
    main()
