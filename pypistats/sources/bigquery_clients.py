"""SOURCE: Google's clients, and where they get credentials, the project to bill and the address."""

import base64
import binascii
import os
from typing import TYPE_CHECKING

import google.auth
import orjson
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.oauth2 import service_account

from pypistats.sources import SourceError

if TYPE_CHECKING:
    from google.cloud.bigquery_storage import BigQueryReadClient

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_EMULATOR_PROJECT = "emulator"


def make_clients(
    *, project: str | None, credentials: str | None
) -> "tuple[bigquery.Client, BigQueryReadClient | None]":
    """Return a client that bills `project`, and one of the Storage API where that can be used.

    `project` None means the project that the credentials name. `credentials` is a service
    account's JSON, or its base64; None means Google's application default credentials, of which
    GOOGLE_APPLICATION_CREDENTIALS is the first. With BIGQUERY_EMULATOR_HOST set, the client talks
    to that host, without credentials. Raises ValueError for credentials that can't be,
    SourceError where there are none.
    """
    emulator = _emulator()
    if emulator:
        found, own_project = _anonymous()
    elif credentials:
        found, own_project = _service_account(credentials)
    else:
        found, own_project = _default()
    billed = project or own_project
    if not billed:
        raise SourceError("BigQuery needs a project to bill, and the credentials name none")
    options = {"api_endpoint": emulator} if emulator else None
    client = bigquery.Client(project=billed, credentials=found, client_options=options)
    return client, None if emulator else _storage_client(found)


def _emulator() -> str | None:
    """Return the emulator's address; a bare host and port is taken as plain HTTP."""
    host = os.environ.get("BIGQUERY_EMULATOR_HOST")
    return f"http://{host}" if host and "://" not in host else host or None


def _anonymous() -> tuple[Credentials, str | None]:
    return AnonymousCredentials(), _EMULATOR_PROJECT  # type: ignore[no-untyped-call]


def _default() -> tuple[Credentials, str | None]:
    try:
        found, project = google.auth.default(scopes=_SCOPES)
    except GoogleAuthError as error:
        raise SourceError(f"BigQuery needs credentials: {' '.join(str(error).split())}") from error
    return found, project


def _service_account(credentials: str) -> tuple[Credentials, str | None]:
    """Read credentials. An error never repeats them, nor what a library says about them."""
    text = credentials.strip()
    read = service_account.Credentials.from_service_account_info
    try:
        if not text.startswith("{"):
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        found = read(orjson.loads(text), scopes=_SCOPES)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError, binascii.Error, GoogleAuthError):
        raise ValueError(
            "BigQuery credentials must be the JSON of a service account's key, or its base64"
        ) from None
    return found, found.project_id


def _storage_client(credentials: Credentials) -> "BigQueryReadClient | None":
    """Return a client of the Storage API if the `storage` extra is installed."""
    try:
        import pyarrow  # noqa: F401, PLC0415 - an extra
        from google.cloud.bigquery_storage import BigQueryReadClient  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return BigQueryReadClient(credentials=credentials)  # type: ignore[no-untyped-call]
