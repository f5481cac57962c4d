"""PRESENT: the static files, each under a name made from its content, compressed once.

Such an address never changes its content, so a browser that has it never asks again.
"""

import hashlib
import mimetypes
import re
from pathlib import Path
from typing import Any

import brotli
from flask import Flask, Response, abort, request

from pypistats import encodings
from pypistats.answers import MOMENT, conditional

FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_FINGERPRINT = re.compile(r"\.[0-9a-f]{12}(?=\.[^./]*$)")

THOROUGH_BYTES = 200_000
"""Above this, brotli's highest level takes seconds for a tenth less."""

mimetypes.add_type("application/manifest+json", ".webmanifest")


class Asset:
    """One file: its content, and each encoding of it, made when first asked for and kept."""

    def __init__(self, name: str, content: bytes) -> None:
        self.mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.digest = hashlib.sha256(content).hexdigest()[:12]
        self.is_compressible = encodings.is_compressible(self.mimetype, len(content))
        self._variants = {encodings.IDENTITY: content}

    def encoded(self, encoding: str) -> bytes:
        """Return the content in an encoding, as small as can be had in a moment."""
        body = self._variants.get(encoding)
        if body is None:
            content = self._variants[encodings.IDENTITY]
            if encoding == "br":
                body = brotli.compress(content, quality=11 if len(content) < THOROUGH_BYTES else 9)
            else:
                body = encodings.compress(content, encoding)
            self._variants[encoding] = body
        return body


class Assets:
    """The files of a folder, read once, by name and by fingerprinted name."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, Asset] = {}
        self._fingerprinted: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._add(path.relative_to(folder).as_posix(), path.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        asset = Asset(name, content)
        stem, dot, suffix = name.rpartition(".")
        self._fingerprinted[name] = f"{stem}.{asset.digest}{dot}{suffix}"
        self._by_name[name] = self._by_name[self._fingerprinted[name]] = asset

    def fingerprinted(self, name: str) -> str:
        """Return the name with the fingerprint in it; one that is no file's stays as it is."""
        return self._fingerprinted.get(name, name)

    def answer(self, name: str) -> Response:
        """Answer with a file, in the encoding that the client prefers; 404 for no file.

        Pages outlive a release in caches: for a file's fingerprint in another release there is the
        file of this one.
        """
        asset = self._by_name.get(name)
        how_long = ASK_AGAIN if name in self._fingerprinted else FOREVER
        if asset is None:
            asset = self._by_name.get(_FINGERPRINT.sub("", name))
            # That release may be the one that comes.
            how_long = MOMENT
        if asset is None:
            abort(404)
        encoding = encodings.IDENTITY
        if asset.is_compressible:
            encoding = encodings.chosen(request.headers.get("Accept-Encoding", ""))
        response = Response(asset.encoded(encoding), mimetype=asset.mimetype)
        if encoding != encodings.IDENTITY:
            response.content_encoding = encoding
        if asset.is_compressible:
            response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = how_long
        response.set_etag(f"{asset.digest}-{encoding}")
        return conditional(response)


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
