"""PRESENT: the static files, each under a name made from its content, compressed once.

Such an address never changes its content, so a browser that has it never asks again.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import brotli
from flask import Flask, Response, abort, request

FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

_COMPRESSED = ("text/", "image/svg", "application/json", "application/manifest")
_THOROUGH_BYTES = 200_000
"""Above this, brotli's highest level takes seconds for a tenth less."""

mimetypes.add_type("application/manifest+json", ".webmanifest")


@dataclass
class Asset:
    """One file: its content, and what it is when compressed, made when first asked for."""

    content: bytes
    mimetype: str
    digest: str

    @cached_property
    def encodings(self) -> dict[str, bytes]:
        """Return the content by encoding, the smallest first; `identity` is as it is."""
        made = {"identity": self.content}
        if self.mimetype.startswith(_COMPRESSED):
            quality = 11 if len(self.content) < _THOROUGH_BYTES else 9
            made["br"] = brotli.compress(self.content, quality=quality)
            made["gzip"] = gzip.compress(self.content, mtime=0)
        return dict(sorted(made.items(), key=lambda item: len(item[1])))


class Assets:
    """The files of a folder, read once, by name and by fingerprinted name."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, Asset] = {}
        self._fingerprinted: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._add(path.relative_to(folder).as_posix(), path.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:12]
        mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
        stem, dot, suffix = name.rpartition(".")
        self._fingerprinted[name] = f"{stem}.{digest}{dot}{suffix}"
        self._by_name[name] = self._by_name[self._fingerprinted[name]] = Asset(
            content, mimetype, digest
        )

    def fingerprinted(self, name: str) -> str:
        """Return the name with the fingerprint in it; one that is no file's stays as it is."""
        return self._fingerprinted.get(name, name)

    def answer(self, name: str) -> Response:
        """Answer with a file, in the smallest encoding that the client takes; 404 for no file."""
        asset = self._by_name.get(name)
        if asset is None:
            abort(404)
        accepted = request.accept_encodings
        encoding = next(
            each for each in asset.encodings if each == "identity" or accepted[each] > 0
        )
        response = Response(asset.encodings[encoding], mimetype=asset.mimetype)
        if encoding != "identity":
            response.content_encoding = encoding
        if len(asset.encodings) > 1:
            response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = ASK_AGAIN if name in self._fingerprinted else FOREVER
        response.set_etag(f"{asset.digest}-{encoding}")
        return response.make_conditional(request.environ)  # type: ignore[return-value]


def register_assets(app: Flask, folder: Path) -> None:
    """Serve the files of `folder` as `/static/…`; `url_for` gives the fingerprinted addresses."""
    assets = Assets(folder)

    def static(filename: str) -> Response:
        return assets.answer(filename)

    @app.url_defaults
    def fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = assets.fingerprinted(values["filename"])

    app.add_url_rule("/static/<path:filename>", "static", static)
