"""How the BigQuery client gets its credentials, its project and its address."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import google.auth
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from pypistats.sources import SourceError
from pypistats.sources.bigquery import BigQuerySource, open_source
from pypistats.sources.bigquery_clients import make_clients

EMAIL = "reader@pypistats-test.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def key_file() -> str:
    """A service account's key as Google writes it, made here and known to nobody."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "named-in-the-key",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": "https://oauth2.googleapis.com/token",
        },
        indent=2,
    )


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "BIGQUERY_EMULATOR_HOST",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "GCLOUD_PROJECT",
    ):
        monkeypatch.delenv(name, raising=False)


def wrapped_base64(text: str) -> str:
    """Return base64 in lines of 76, as the command-line tool prints it."""
    return base64.encodebytes(text.encode()).decode()


def plain_base64(text: str) -> str:
    """Return base64 in one line."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("form", [str, plain_base64, wrapped_base64, "\n {} \n".format])
def test_a_key_is_taken_as_json_or_base64(key_file: str, form: Callable[[str], str]) -> None:
    client, _ = make_clients(project=None, credentials=form(key_file))

    assert client.project == "named-in-the-key"
    assert client._credentials.service_account_email == EMAIL
    assert client._credentials.scopes == ("https://www.googleapis.com/auth/bigquery",)
    client.close()


def test_a_given_project_is_billed(key_file: str) -> None:
    client, _ = make_clients(project="mine", credentials=key_file)

    assert client.project == "mine"
    client.close()


@pytest.mark.parametrize(
    "bad",
    [
        "s3cret",
        "czNjcmV0",
        '{"private_key": "s3cret"}',
        '{"private_key": "s3cret", "client_email": "s3cret", "token_uri": "s3cret"}',
        '{"s3cret',
        "[]",
        "czNjcmV0é",
        plain_base64("[1]"),
        plain_base64('"s3cret"'),
    ],
)
def test_bad_credentials_are_named_and_never_repeated(bad: str) -> None:
    with pytest.raises(
        ValueError, match="JSON of a service account's key, or its base64"
    ) as raised:
        make_clients(project="p", credentials=bad)

    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_credentials_come_from_the_named_file(
    key_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    path.write_text(key_file)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    client, _ = make_clients(project=None, credentials=None)

    assert client.project == "named-in-the-key"
    assert client._credentials.service_account_email == EMAIL
    client.close()


def test_missing_credentials_are_a_source_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    with pytest.raises(SourceError, match=r"needs credentials: .*/nowhere/key\.json"):
        make_clients(project=None, credentials=None)


def test_credentials_without_a_project_need_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), None))

    with pytest.raises(SourceError, match="a project to bill"):
        make_clients(project=None, credentials=None)
    client, _ = make_clients(project="mine", credentials=None)
    assert client.project == "mine"
    client.close()


@pytest.mark.parametrize("host", ["http://localhost:9050", "localhost:9050"])
def test_the_emulator_needs_no_credentials(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(scopes: object) -> None:
        raise DefaultCredentialsError(scopes)

    monkeypatch.setattr(google.auth, "default", refuse)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", host)

    client, _ = make_clients(project=None, credentials="whatever")

    assert client._connection.API_BASE_URL == "http://localhost:9050"
    assert isinstance(client._credentials, AnonymousCredentials)
    client.close()


def test_a_source_reads_by_the_storage_api_where_it_is_installed(key_file: str) -> None:
    source = open_source(project=None, credentials=key_file, max_bytes_per_day=7)

    assert source._storage is not None
    source._storage.transport.close()
    close(source)


@pytest.mark.parametrize("missing", ["pyarrow", "google.cloud.bigquery_storage"])
def test_a_source_reads_by_rest_where_the_extra_is_missing(
    key_file: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    source = open_source(project=None, credentials=key_file, max_bytes_per_day=7)

    assert source._storage is None
    close(source)


def test_the_emulator_is_read_by_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "localhost:9050")

    source = open_source(project=None, credentials=None, max_bytes_per_day=7)

    assert source._storage is None
    close(source)


def close(source: BigQuerySource) -> None:
    """Close the source's client."""
    source._client.close()
