"""Taking a direct upload: the multipart form that `upload_form` describes, streamed to a file, never whole in memory.

Sources: RFC 7578 (multipart/form-data); reference/reliability.md attacks F1 to F5 (types, names, sizes).
"""

import asyncio
from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from hutong.kernel.files.disk import CHUNK, DiskStorage
from hutong.kernel.files.errors import UploadMalformed, UploadTooLarge, UploadWrongType
from hutong.kernel.files.headers import sniff
from hutong.kernel.files.links import Policy
from hutong.kernel.files.tree import Incoming

FIELDS = frozenset({"key", "Content-Type", "expires", "policy", "signature"})
MAX_FIELD = 4096
# What a request may hold besides the file: five fields, part headers, boundaries.
MAX_OVERHEAD = 64 * 1024


class FormStream:
    """Sorts the bytes of a form into its fields and its file, which must be its last part.

    Args:
        boundary: of the multipart body.
        known: names that a field may have; any when None.
    """

    def __init__(self, boundary: bytes, known: frozenset[str] | None = FIELDS) -> None:
        self.fields: dict[str, str] = {}
        self.file_type = ""
        self._known = known
        self.data = bytearray()
        self.in_file = False
        self.ended = False
        self._name: str | None = None
        self._field = bytearray()
        self._header, self._value, self._disposition, self._type = bytearray(), bytearray(), b"", ""
        self._overhead = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._append_to(lambda: self._header),
                "on_header_value": self._append_to(lambda: self._value),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body; the file's are added to `data`.

        Raises:
            UploadMalformed: this is not the form that was described.
        """
        before = len(self.data)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise UploadMalformed from error
        self._overhead += len(chunk) - (len(self.data) - before)
        if self._overhead > MAX_OVERHEAD:
            raise UploadMalformed(details={"reason": "too much besides the file"})

    def _begin_part(self) -> None:
        if self.in_file:
            raise UploadMalformed(details={"reason": "the file must be the last part"})
        self._name, self._disposition, self._type = None, b"", ""

    @staticmethod
    def _append_to(target: Callable[[], bytearray]) -> Callable[[bytes, int, int], None]:
        def append(data: bytes, start: int, end: int) -> None:
            target().extend(data[start:end])

        return append

    def _end_header(self) -> None:
        name = self._header.lower()
        if name == b"content-disposition":
            self._disposition = bytes(self._value)
        elif name == b"content-type":
            self._type = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        # The client's file name is in there too; nothing of ours ever looks at it.
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("latin-1")
        self.in_file = name == "file"
        unknown = self._known is not None and name not in self._known
        if kind != b"form-data" or (not self.in_file and (unknown or name in self.fields)):
            raise UploadMalformed(details={"reason": "unexpected or repeated field"})
        self._name = name
        if self.in_file:
            self.file_type = self._type

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self.in_file:
            self.data += data[start:end]
            return
        self._field += data[start:end]
        if len(self._field) > MAX_FIELD:
            raise UploadMalformed(details={"reason": "field too long"})

    def _end_part(self) -> None:
        if self._name is not None and not self.in_file:
            self.fields[self._name] = self._field.decode(errors="replace")
        self._field.clear()

    def _end(self) -> None:
        self.ended = True


class Reception:
    """One file on its way in, once the form has proved its policy."""

    def __init__(self, policy: Policy, file: Incoming) -> None:
        self.policy = policy
        self._file = file
        self._received = 0

    async def take(self, data: bytearray, *, last: bool) -> None:
        """Write what has gathered in `data`, in large pieces, and empty it.

        Raises:
            UploadTooLarge: as soon as the limit is passed.
            UploadWrongType: the first bytes show another type.
        """
        if self._received + len(data) > self.policy.max_bytes:
            raise UploadTooLarge(details={"max_bytes": self.policy.max_bytes})
        if not data or (len(data) < CHUNK and not last):
            return
        piece = bytes(data)
        data.clear()
        if self._received == 0:
            self._check_type(piece)
        self._received += len(piece)
        await asyncio.to_thread(self._file.write, piece)

    async def finish(self) -> None:
        """Store the file under the policy's key.

        Raises:
            UploadMalformed: it is empty.
        """
        if self._received == 0:
            raise UploadMalformed(details={"reason": "empty file"})
        await asyncio.to_thread(self._file.commit, self.policy.key)

    def _check_type(self, head: bytes) -> None:
        shown = sniff(head[:32])
        if shown not in self.policy.content_types:
            raise UploadWrongType(details={"allowed": list(self.policy.content_types), "found": shown})


async def receive_upload(request: Request, storage: DiskStorage) -> None:
    """Store the file of a form as its policy says; nothing stays behind when that fails.

    Raises:
        UploadMalformed, UploadRefused, UploadExpired, UploadTooLarge, UploadWrongType, StorageFull, StorageFailed
    """
    form = FormStream(boundary_of(request))
    stream = request.stream()
    async for chunk in stream:
        form.feed(chunk)
        if form.in_file:
            break
    else:
        raise UploadMalformed(details={"reason": "no file"})
    policy = storage.signer.check_fields(form.fields, storage.seconds())
    # Opened on the loop: one cheap call, where a cancelled thread would leave an open file behind.
    with storage.incoming() as file:
        reception = Reception(policy, file)
        await reception.take(form.data, last=False)
        async for chunk in stream:
            form.feed(chunk)
            await reception.take(form.data, last=False)
        if not form.ended:
            raise UploadMalformed(details={"reason": "cut short"})
        await reception.take(form.data, last=True)
        await reception.finish()


def boundary_of(request: Request) -> bytes:
    """The boundary of a multipart body.

    Raises:
        UploadMalformed: it is none.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise UploadMalformed
    return boundary
