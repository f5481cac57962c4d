"""PRESENT: compression: which encoding a client takes, and making it."""

import functools
import re
import zlib

import brotli
import zstandard

IDENTITY = "identity"

ENCODINGS = ("br", "zstd", "gzip")
"""In the order in which they are preferred where a client does not care."""

SMALLEST = 1_000
"""Shorter bodies are sent as they are: they fit into one packet either way."""

_COMPRESSIBLE = (
    "text/",
    "image/svg+xml",
    "application/json",
    "application/manifest+json",
    "application/xml",
    "application/yaml",
)
_WORD = re.compile(
    r"\s*([A-Za-z0-9*_-]+)\s*(?:;\s*[Qq]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def is_compressible(content_type: str, length: int) -> bool:
    """Tell whether a body is worth compressing. Pictures and archives are compressed already."""
    return length >= SMALLEST and content_type.startswith(_COMPRESSIBLE)


@functools.lru_cache(maxsize=512)
def chosen(accept_encoding: str) -> str:
    """Return the encoding that an Accept-Encoding header asks for, `IDENTITY` where none fits.

    What the client weighs most wins. A part that can't be read counts as absent.
    """
    weights: dict[str, float] = {}
    for part in accept_encoding.split(","):
        word = _WORD.fullmatch(part)
        if word:
            name = word[1].lower().replace("x-gzip", "gzip")
            weights[name] = float(word[2] or 1)
    other = weights.get("*", 0.0)
    # Not named, it is always taken, but a client that names encodings wants those.
    identity = weights.get(IDENTITY, weights.get("*", 0.001))
    offered = [(weights.get(name, other), name) for name in ENCODINGS] + [(identity, IDENTITY)]
    best = max(weight for weight, _ in offered)
    return next((name for weight, name in offered if weight == best and weight), IDENTITY)


def compress(body: bytes, encoding: str) -> bytes:
    """Return `body` in an encoding, at the level from which on a few bytes take twice the time."""
    if encoding == "br":
        compressed: bytes = brotli.compress(body, quality=5, lgwin=18)
        return compressed
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(body)
    return zlib.compress(body, 4, wbits=31)


def decompress(body: bytes, encoding: str) -> bytes:
    """Return what `compress` was given."""
    if encoding == "br":
        decompressed: bytes = brotli.decompress(body)
        return decompressed
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompress(body)
    return zlib.decompress(body, wbits=31)
