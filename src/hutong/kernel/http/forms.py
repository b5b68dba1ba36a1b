"""Multipart forms, read whole or not at all. Starlette takes a form that was cut short, and forgets its open file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from hutong.kernel.http.strict import BodyMalformed


class _WholeForm(MultiPartParser):
    """A parser that knows whether the closing boundary came."""

    ended = False

    def on_end(self) -> None:
        self.ended = True
        super().on_end()

    def close_files(self) -> None:
        """Close every file that was opened, also those that never became part of the form."""
        for file in self._files_to_close_on_error:
            file.close()


@asynccontextmanager
async def read_form(request: Request, *, max_files: int, max_fields: int) -> AsyncIterator[FormData]:
    """The form of a multipart request; its files are closed afterwards.

    Args:
        request: with a multipart body; large files are spooled to disk.
        max_files, max_fields: most parts of each kind.

    Raises:
        BodyMalformed: it is no multipart form, was cut short, or has too many or too large parts.
    """
    parser = _WholeForm(request.headers, request.stream(), max_files=max_files, max_fields=max_fields)
    try:
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise BodyMalformed(f"The form cannot be read: {error.message}") from error
        if not parser.ended:
            raise BodyMalformed("The form was cut short.")
        yield form
    finally:
        parser.close_files()
