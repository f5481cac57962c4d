"""Compression: what a client takes, and what it gets."""

import gzip

import brotli
import pytest
import zstandard

from pypistats.encodings import SMALLEST, chosen, compress, decompress, is_compressible

BODY = b'{"category":"3.12","date":"2026-03-15","downloads":123456},' * 500


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("deflate", "identity"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("gzip;q=0.3, br;q=0.30, zstd;q=0.299", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.001", "br"),
        ("br;q=0", "identity"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("br;q=0, *", "zstd"),
        ("gzip, *;q=0", "gzip"),
        ("gzip;q=0.5, identity", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity", "identity"),
        (" gzip ; Q=0.8 , br ; q=0.9 ", "br"),
        ("gzip;q=2, br;q=1", "br"),
        ("gzip;q=-1", "identity"),
        ("gzip;level=9", "identity"),
        (";;,,q=1", "identity"),
        ("gzip" * 5_000, "identity"),
    ],
)
def test_the_encoding_that_the_client_weighs_most_is_chosen(header: str, encoding: str) -> None:
    assert chosen(header) == encoding


def test_each_encoding_gives_the_body_back() -> None:
    assert brotli.decompress(compress(BODY, "br")) == BODY
    assert zstandard.decompress(compress(BODY, "zstd")) == BODY
    assert gzip.decompress(compress(BODY, "gzip")) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_the_same_body_is_always_the_same_bytes(encoding: str) -> None:
    assert compress(BODY, encoding) == compress(BODY, encoding)
    assert len(compress(BODY, encoding)) < len(BODY) / 10
    assert decompress(compress(BODY, encoding), encoding) == BODY


@pytest.mark.parametrize(
    ("content_type", "length", "worth_it"),
    [
        ("application/json", SMALLEST, True),
        ("application/json", SMALLEST - 1, False),
        ("text/html; charset=utf-8", SMALLEST, True),
        ("image/svg+xml", SMALLEST, True),
        ("image/png", 100_000, False),
        ("application/octet-stream", 100_000, False),
    ],
)
def test_what_is_short_or_compressed_already_stays_as_it_is(
    content_type: str, length: int, *, worth_it: bool
) -> None:
    assert is_compressible(content_type, length) is worth_it
