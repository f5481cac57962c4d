"""PRESENT: what views give their bytes to, so that each is made once for a revision of the data.

    return kept(lambda: _document(package, category), package, category, packages=[package])

The function makes what a view may return; everything after it that it depends on says which answer
it is. `packages` are those that it tells of.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, copy_current_request_context, current_app, request
from flask_caching import Cache
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wsgi import ClosingIterator

from pypistats import encodings, queries
from pypistats.errors import ParameterError
from pypistats.front import (
    DATA,
    STALE,
    Environ,
    Front,
    Policy,
    Prepared,
    StartResponse,
    own_headers,
)
from pypistats.kept import Answer, AnswerKeeper, Content, Place, Scope, Shelf
from pypistats.limits import Cost, admit, spend
from pypistats.queries import PackageNotFoundError
from pypistats.revision import RevisionWatch
from pypistats.shared_cache import SharedCache

cache = Cache(with_jinja2_ext=False, config={"CACHE_TYPE": "pypistats.shared_cache.SharedCache"})

NO_STORE = "no-store"
MOMENT = "public, max-age=60, s-maxage=60"
"""For what can change before newer data comes, and for a client's mistake: a package that is
unknown now can come any day."""

HOUR = "public, max-age=3600, s-maxage=3600"
"""For a redirect, which only another release of the site changes."""

_HOW_LONG = {301: HOUR, 302: HOUR, 308: HOUR, 400: MOMENT, 404: MOMENT}

_ANSWER_SETTINGS = ("INGEST_SCOPE", "RETENTION_DAYS")
"""The settings that change what is answered."""


def kept(
    make: Callable[[], Any],
    *parts: object,
    packages: Scope,
    policy: Policy = DATA,
    bypass: bool = False,
    place: Place = nullcontext,
) -> Response:
    """Answer with what `make` returns, made once for a revision of the data.

    `make` returns what a view may, and reads nothing of the request. `parts`, in normal form, tell
    this endpoint's answers apart; add the version of a style that can change by itself. `packages`
    are those that the answer tells of: it is made anew when one of them has changed. None means
    that any package may be in it, and `()` that only a change of all can change it.

    `place` is for what takes long: it bounds how many requests make such answers or wait for them,
    and right after the data has changed, what there was before is given while it is made anew.
    `bypass` makes it now, for this client alone. Should making fail, the answer from before is
    given, if there is one; client errors (ParameterError, PackageNotFoundError, HTTP's 4xx) are
    raised and never kept.

    `make` may give its answer a Cache-Control, which then goes before the policy: `MOMENT` if the
    answer lacks what can come before newer data does.
    """
    if bypass:
        spend(Cost.COMPUTED)
        with place():
            response = current_app.make_response(make())
        response.headers["Cache-Control"] = NO_STORE
        return response
    site: Answers = current_app.extensions["answers"]
    key = site.key(parts)

    def compute() -> Content:
        spend(Cost.COMPUTED)
        return _content(make(), _encoding())

    detach = None if place is nullcontext else copy_current_request_context
    answer = site.keeper.find(key, packages, compute, place, detach=detach)
    return KeptResponse(answer, key, packages, policy)


def register_answers(app: Flask) -> None:
    """Give the app its kept answers, and every other answer a word on how long it may be kept."""
    cache.init_app(app)
    app.extensions["answers"] = Answers(app)
    app.after_request(_tell_how_long)


class Answers:
    """What an app keeps, and the layer before it that sends it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        watch = RevisionWatch(self._revision, seconds=app.config["REVISION_SECONDS"])
        shelf = Shelf(app.config["ANSWERS_MIB"] * 2**20)
        with app.app_context():
            shared = cast(SharedCache, cache.cache)
        self.keeper = AnswerKeeper(
            watch, shelf, shared, is_failure=_is_failure, is_one_clients=_is_one_clients
        )
        self.front = Front(app.wsgi_app, self.keeper, functools.partial(admit, app))
        app.wsgi_app = self.front  # type: ignore[method-assign]

    def key(self, parts: tuple[object, ...]) -> str:
        """Return the key of this endpoint's answer with these parts."""
        told = repr((self._version, request.endpoint, parts))
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def _revision(self, since: int) -> queries.DataRevision:
        with self._app.app_context():
            return queries.revision(since)

    @functools.cached_property
    def _version(self) -> str:
        """A digest of the code and of the settings: another release makes other answers."""
        digest = hashlib.blake2b(digest_size=16)
        for path in _files(self._app):
            digest.update(path.read_bytes())
        config = self._app.config
        address = urlsplit(config["DATABASE_URL"])
        database = address.netloc.rpartition("@")[2], address.path, address.query
        digest.update(repr([database, *(config[name] for name in _ANSWER_SETTINGS)]).encode())
        return digest.hexdigest()


class KeptResponse(Response):
    """A kept answer on its way out, through the hooks that add headers."""

    def __init__(self, answer: Answer, key: str, packages: Scope, policy: Policy) -> None:
        super().__init__(
            status=answer.status, headers=list(answer.headers), content_type=answer.content_type
        )
        self._kept = answer, key, packages
        self._policy = policy
        if answer.is_stale:
            self._policy = STALE
            self.headers.pop("Cache-Control", None)
        self._is_followed = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send the answer, and have the front layer send it the next time."""
        answer, key, packages = self._kept
        headers = self.headers.to_wsgi_list()
        prepared = Prepared(key, packages, policy=self._policy, status=self.status, headers=headers)
        front: Front = current_app.extensions["answers"].front
        own = own_headers(headers)
        sent = prepared.respond(answer, environ, start_response, front=front, own=own)
        if self._is_followed:
            return ClosingIterator(sent, self.close)
        if not answer.is_stale:
            front.remember(environ, answer, prepared)
        return sent

    def get_data(self, as_text: bool = False) -> Any:
        """Return the bytes, which are not compressed, to a hook that wants them."""
        plain = self._kept[0].plain()
        return plain.decode() if as_text else plain

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        """Have something done once the answer is sent; the next one is Flask's as well then."""
        self._is_followed = True
        return super().call_on_close(func)


def _content(made: Any, encoding: str) -> Content:
    """Return the bytes of what a view may return, and the encoding they are wanted in."""
    if isinstance(made, dict | list):
        return Content(orjson.dumps(made), "application/json", encoding=encoding)
    response = current_app.make_response(made)
    skipped = ("content-type", "content-length")
    headers = [item for item in response.headers.items() if item[0].lower() not in skipped]
    body, status = response.get_data(), response.status_code
    return Content(body, response.content_type, status, tuple(headers), encoding)


def _encoding() -> str:
    """Return the encoding that the client takes."""
    return encodings.chosen(request.headers.get("Accept-Encoding", ""))


def _is_failure(error: Exception) -> bool:
    """Tell an error of ours, or of what we depend on, from one that is the client's answer."""
    if isinstance(error, HTTPException):
        return error.code is None or error.code >= 500
    return not isinstance(error, ParameterError | PackageNotFoundError)


def _is_one_clients(error: Exception) -> bool:
    """Tell that a client may ask for no more."""
    return isinstance(error, TooManyRequests)


def _tell_how_long(response: Response) -> Response:
    """Let errors be kept for a moment, and what says nothing of it not at all."""
    if isinstance(response, KeptResponse):
        return response
    response.headers.setdefault("Cache-Control", _HOW_LONG.get(response.status_code, NO_STORE))
    _compress(response)
    if response.headers["Cache-Control"] == MOMENT and response.status_code == 200:
        response.add_etag()
        conditional(response)
    return response


def conditional(response: Response) -> Response:
    """Tell a client whose copy still holds no more than that."""
    # werkzeug fails at a time whose numbers are too large for one.
    with suppress(OverflowError):
        response.make_conditional(request.environ)
    return response


def _compress(response: Response) -> None:
    """Compress what is not kept, as errors and the status are, for a client that takes that."""
    if response.is_streamed or response.content_encoding or response.mimetype is None:
        return
    body = response.get_data()
    if not encodings.is_compressible(response.mimetype, len(body)):
        return
    response.vary.add("Accept-Encoding")
    encoding = _encoding()
    if encoding != encodings.IDENTITY:
        response.set_data(encodings.compress(body, encoding))
        response.content_encoding = encoding


def _files(app: Flask) -> list[Path]:
    code = Path(app.root_path)
    folders = [code, code.parent / str(app.template_folder), code.parent / "static"]
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return [code.parent / "openapi.yaml", *sorted(each for each in found if each.suffix != ".pyc")]
