"""Live documents: JSON or YAML that operators change while Hutong runs, validated before they count.

Apps declare a `Document` each and read its value; the host starts the watch. A folder is the source for now.
Its page is docs/kernel/config.md.
"""

from hutong.kernel.config.documents import Document, Documents
from hutong.kernel.config.folder import FolderSource, Source

__all__ = ["Document", "Documents", "FolderSource", "Source"]
