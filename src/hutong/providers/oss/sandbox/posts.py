"""PostObject: the form with which a client uploads by itself."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from hutong.kernel.files.errors import UploadMalformed
from hutong.kernel.files.receiving import FormStream, boundary_of
from hutong.kit.clock import epoch_ms
from hutong.providers.oss.sandbox.answers import OssRefusal, document, elements
from hutong.providers.oss.sandbox.bucket import Arriving
from hutong.providers.oss.sandbox.objects import Objects, check_name, kept_headers, written_headers
from hutong.providers.oss.sandbox.policies import SizeRange, check_form
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.providers.oss.sandbox.signatures import Verifier


class Posts:
    """Takes forms; what is refused leaves nothing."""

    def __init__(self, settings: OssSandboxSettings, objects: Objects, verifier: Verifier) -> None:
        self._settings = settings
        self._objects = objects
        self._verifier = verifier

    async def post(self, request: Request, now: datetime) -> tuple[Response, str]:
        """Carry a form out; the answer, and the key that it stored."""
        try:
            return await self._post(request, now)
        except UploadMalformed as error:
            raise OssRefusal("MalformedPOSTRequest") from error

    async def _post(self, request: Request, now: datetime) -> tuple[Response, str]:
        form = FormStream(boundary_of(request), known=None)
        stream = request.stream()
        async for chunk in stream:
            form.feed(chunk)
            if form.in_file:
                break
        else:
            raise OssRefusal("IncorrectNumberOfFilesInPOSTRequest")
        fields = _lowered(form)
        sizes = check_form(fields, self._settings.bucket, self._verifier, now)
        key = fields.get("key", "")
        check_name(key)
        with Arriving(self._settings.contents) as arriving:
            await _take(form, arriving, sizes)
            async for chunk in stream:
                form.feed(chunk)
                await _take(form, arriving, sizes)
            if not form.ended:
                raise UploadMalformed
            if arriving.size < sizes.least:
                raise OssRefusal("EntityTooSmall", ec="0006-00000004", facts=_size_facts(arriving.size, sizes))
            stored = arriving.stored(key, _type_of(fields, form.file_type), kept_headers(fields), epoch_ms(now))
            await self._objects.keep(arriving, stored, new_only=fields.get("x-oss-forbid-overwrite") == "true")
        return self._answer(fields, key, written_headers(stored)), key

    def _answer(self, fields: Mapping[str, str], key: str, headers: dict[str, str]) -> Response:
        status = fields.get("success_action_status", "204")
        if status == "201":
            location = f"{self._settings.endpoint}/{self._settings.bucket}/{key}"
            facts = {"Bucket": self._settings.bucket, "Key": key, "ETag": headers["ETag"], "Location": location}
            answer = document("PostResponse", elements(facts))
            answer.status_code = 201
            answer.headers.update(headers)
            return answer
        return Response(status_code=200 if status == "200" else 204, headers=headers)


def _lowered(form: FormStream) -> dict[str, str]:
    fields = {name.lower(): value for name, value in form.fields.items()}
    if len(fields) != len(form.fields):
        raise UploadMalformed
    if form.file_type:
        fields.setdefault("content-type", form.file_type)
    return fields


def _type_of(fields: Mapping[str, str], file_type: str) -> str:
    """OSS's order: the field x-oss-content-type, the type beside the file, the field Content-Type."""
    return fields.get("x-oss-content-type") or file_type or fields.get("content-type") or "application/octet-stream"


async def _take(form: FormStream, arriving: Arriving, sizes: SizeRange) -> None:
    if arriving.size + len(form.data) > sizes.most:
        facts = _size_facts(arriving.size + len(form.data), sizes)
        raise OssRefusal("EntityTooLarge", ec="0006-00000003", facts=facts)
    if form.data:
        piece = bytes(form.data)
        form.data.clear()
        await asyncio.to_thread(arriving.write, piece)


def _size_facts(size: int, sizes: SizeRange) -> dict[str, str]:
    return {"ProposedSize": str(size), "MinSizeAllowed": str(sizes.least), "MaxSizeAllowed": str(sizes.most)}
