"""PRESENT: answers as bytes, made once for each revision of the data.

An answer is looked for in this process, then in the cache that all processes share, and is made by
one of them if it is in neither. It is kept together with the revision that it was made from, and
holds as long as that is the last change of the packages it tells of. So a change of the data needs
no purge, and the answer from before it is still there should making the new one fail.
"""

import contextlib
import dataclasses
import datetime as dt
import email.utils
import functools
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import AbstractContextManager, nullcontext

import orjson

from pypistats import encodings
from pypistats.background import Background
from pypistats.clock import utc_now
from pypistats.queries import DataRevision, Revision
from pypistats.revision import RevisionWatch
from pypistats.shared_cache import Claim, SharedCache

logger = logging.getLogger(__name__)

SHARED_SECONDS = 2 * 86_400
"""How long the shared cache keeps an answer: over the next day's data, should that fail."""

CLAIM_SECONDS = 3.0
"""How long other processes wait for the one that makes an answer, before one of them makes it too.

A process that is killed leaves its claim, as does one that has lost the shared cache.
"""

PLACED_CLAIM_SECONDS = 30.0
"""The same where a place is held, since what needs one takes long; and how long threads wait."""

POLL_SECONDS = 0.01

RETRY_SECONDS = 10.0
"""After making an answer has failed, the one from before serves for so long without a new try."""

STORM = dt.timedelta(minutes=10)
"""For so long after the data has changed, all that is asked for is old. Other caches are told that
they may give what is old for as long, while they fetch the new."""

Headers = tuple[tuple[str, str], ...]
Place = Callable[[], AbstractContextManager[None]]
"""What a caller enters before it makes an answer; that raises if there is no place."""

Detach = Callable[[Callable[[], None]], Callable[[], None]]
"""Makes of a function one that can be called when the request is over."""

Scope = Sequence[str] | None
"""The packages that an answer tells of; None for any, empty for what only a new day changes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a view has made: the bytes, what they are, and the encoding they are wanted in."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Headers = ()
    encoding: str = encodings.IDENTITY


@dataclasses.dataclass(slots=True, weakref_slot=True, eq=False)
class Answer:
    """What a view has made, the revision that it was made from, and its bytes by encoding.

    The plain bytes go once compressed ones were asked for: they take many times as much memory and
    are rarely asked for again. Then they are decompressed.
    """

    content_type: str
    status: int
    headers: Headers
    revision: Revision | None
    variants: dict[str, bytes]
    digest: str
    modified: str = ""
    is_compressible: bool = False
    checked: DataRevision | None = None
    retry_at: float = 0.0

    def __post_init__(self) -> None:
        plain = self.variants.get(encodings.IDENTITY)
        self.is_compressible = plain is None or encodings.is_compressible(
            self.content_type, len(plain)
        )
        if self.revision is not None:
            self.modified = _http_date(self.revision.changed_at)

    @classmethod
    def of(cls, content: Content, revision: Revision | None) -> "Answer":
        """Return the answer that a view has made, in the encoding that is wanted."""
        answer = cls(
            content.content_type,
            content.status,
            content.headers,
            revision,
            {encodings.IDENTITY: content.body},
            hashlib.sha256(content.body).hexdigest()[:24],
        )
        if answer.is_compressible and content.encoding != encodings.IDENTITY:
            answer.add(content.encoding)
        return answer

    @property
    def is_stale(self) -> bool:
        """Tell whether a newer answer should be here and could not be made."""
        return self.retry_at > 0

    @property
    def size(self) -> int:
        """About how many bytes of memory the answer takes, with the address it is sent from."""
        return sum(map(len, tuple(self.variants.values()))) + 3_600

    def plain(self) -> bytes:
        """Return the bytes that are not compressed."""
        for encoding, body in tuple(self.variants.items()):
            if encoding == encodings.IDENTITY:
                return body
        return encodings.decompress(body, encoding)

    def add(self, encoding: str) -> bytes:
        """Return the bytes in an encoding that was not asked for so far, and keep them."""
        plain = self.plain()
        body = plain if encoding == encodings.IDENTITY else encodings.compress(plain, encoding)
        self.variants[encoding] = body
        if encoding != encodings.IDENTITY:
            self.variants.pop(encodings.IDENTITY, None)
        return body

    def holds(self, current: DataRevision, scope: Scope) -> bool:
        """Tell whether none of the packages has changed since the answer was made."""
        if self.checked is current:
            return True
        if current.of(scope) != self.revision:
            return False
        self.checked = current
        return True

    def dump(self) -> bytes:
        """Write the answer for the shared cache; its revision comes first."""
        assert self.revision is not None
        variants = dict(self.variants)
        sizes = {encoding: len(body) for encoding, body in variants.items()}
        head = [self.content_type, self.status, self.headers, self.digest, sizes]
        lines = [mark(self.revision), orjson.dumps(head), b""]
        return b"\n".join(lines) + b"".join(variants.values())

    @classmethod
    def load(cls, dumped: bytes) -> "Answer":
        """Read what `dump` wrote."""
        number, changed_at, rest = dumped.split(b" ", 2)
        _, head, bodies = rest.split(b"\n", 2)
        content_type, status, headers, digest, sizes = orjson.loads(head)
        variants, start = {}, 0
        for encoding, size in sizes.items():
            variants[encoding] = bodies[start : start + size]
            start += size
        moment = dt.datetime.fromtimestamp(int(changed_at) / 1e6, dt.UTC)
        revision = Revision(int(number), moment)
        return cls(content_type, status, tuple(map(tuple, headers)), revision, variants, digest)


class Shelf:
    """A process's own answers by key: as many as fit into so many bytes, the last used ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._answers: OrderedDict[str, tuple[Answer, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Answer | None:
        """Return the answer under `key`, whatever its revision."""
        found = self._answers.get(key)
        if found is None:
            return None
        self.touch(key)
        return found[0]

    def touch(self, key: str) -> None:
        """Count the answer under `key` as used just now."""
        # Another thread may have taken it out meanwhile; moving it needs no lock.
        with contextlib.suppress(KeyError):
            self._answers.move_to_end(key)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, in place of others where room is short. Very large ones are not kept."""
        with self._lock:
            self._remove(key)
            size = answer.size
            if size > self._size // 4:
                return
            self._answers[key] = (answer, size)
            self._used += size
            while self._used > self._size:
                self._remove(next(iter(self._answers)))

    def resize(self, key: str, answer: Answer) -> bool:
        """Take note that an answer has grown; return whether it is still the one under `key`."""
        found = self._answers.get(key)
        if found is None or found[0] is not answer:
            return False
        self.put(key, answer)
        return True

    def _remove(self, key: str) -> None:
        _, size = self._answers.pop(key, (None, 0))
        self._used -= size


class AnswerKeeper:
    """Finds answers, and has one caller of all threads and processes make what is missing.

    `is_failure` tells an exception that stands for an error of ours from one that is the answer,
    as that a package is unknown; `is_one_clients` tells one that is no answer for another client,
    as that this one may ask for no more.
    """

    def __init__(
        self,
        watch: RevisionWatch,
        shelf: Shelf,
        shared: SharedCache,
        *,
        is_failure: Callable[[Exception], bool],
        is_one_clients: Callable[[Exception], bool],
    ) -> None:
        self.watch = watch
        self.shelf = shelf
        self._shared = shared
        self._is_failure = is_failure
        self._is_one_clients = is_one_clients
        self._background = Background()
        self._flights: dict[tuple[str, Revision | None], Future[Answer]] = {}
        self._lock = threading.Lock()

    def find(
        self,
        key: str,
        scope: Scope,
        make: Callable[[], Content],
        place: Place = nullcontext,
        *,
        detach: Detach | None = None,
    ) -> Answer:
        """Return the answer under `key`, by `make` where there is none for the current revision.

        Whoever makes it or waits for another to do so holds a `place` meanwhile. When there is no
        place or making fails, the answer from before is returned, if there is one, and is stale.
        With `detach`, which is for what takes long, so it is for `STORM` after a change of the
        data: the new one is then made in the background, and nobody waits for it.
        """
        current = self.watch.current()
        held = self._held(key, current, scope)
        if held is not None:
            return held
        wanted = None if current is None else current.of(scope)
        seconds = CLAIM_SECONDS if place is nullcontext else PLACED_CLAIM_SECONDS

        def fetch() -> Answer:
            with place():
                return self._together(key, wanted, lambda: self._fetch(key, wanted, make, seconds))

        if detach and wanted and utc_now() - wanted.changed_at < STORM:
            kept = self._kept(key, wanted)
            if kept is not None:
                if kept.is_stale:
                    self._background.do(key, detach(lambda: self._renew(fetch)))
                return kept
        try:
            return fetch()
        except Exception as error:
            kept = self._kept(key, wanted) if self._is_failure(error) else None
            if kept is None:
                raise
            logger.warning("an answer can't be made, what is kept is given", exc_info=error)
            return kept

    def _held(self, key: str, current: DataRevision | None, scope: Scope) -> Answer | None:
        """Return this process's answer if it still holds, or if it is too soon to try again."""
        held = self.shelf.get(key)
        if held is None or time.monotonic() < held.retry_at:
            return held
        if current is None or not held.holds(current, scope):
            return None
        held.retry_at = 0.0
        return held

    def _renew(self, fetch: Callable[[], Answer]) -> None:
        """Fetch an answer that nobody waits for."""
        try:
            fetch()
        except Exception as error:
            if self._is_failure(error):
                logger.warning("an answer can't be made anew", exc_info=error)

    def keep_variant(self, key: str, answer: Answer) -> None:
        """Take note that a variant was added to an answer."""
        if self.shelf.resize(key, answer):
            self._shared.set(key, answer.dump(), SHARED_SECONDS)

    def _fetch(
        self, key: str, wanted: Revision | None, make: Callable[[], Content], seconds: float
    ) -> Answer:
        if wanted is None:
            # The database has never been reached: what is kept is better than to wait for it.
            return self._kept(key, None) or Answer.of(make(), None)
        claim = Claim(key)
        kept = self._wait(claim, wanted, seconds)
        answer = self._make(key, wanted, make, claim) if kept is None else Answer.load(kept)
        self.shelf.put(key, answer)
        return answer

    def _wait(self, claim: Claim, wanted: Revision, seconds: float) -> bytes | None:
        """Return the answer that another process has made; None if it is this one's to make."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self._shared.get_or_claim(claim, mark(wanted), seconds=seconds)
            if isinstance(found, bytes):
                return found
            if found:
                break
            time.sleep(POLL_SECONDS)
        return None

    def _make(
        self, key: str, wanted: Revision, make: Callable[[], Content], claim: Claim
    ) -> Answer:
        try:
            answer = Answer.of(make(), wanted)
        except BaseException:
            self._shared.give_up(claim)
            raise
        self._shared.finish(claim, answer.dump(), seconds=SHARED_SECONDS)
        return answer

    def _kept(self, key: str, wanted: Revision | None) -> Answer | None:
        """Return the answer under `key`, marked as stale if it is not of the wanted revision."""
        answer = self.shelf.get(key)
        if answer is None:
            kept = self._shared.get(key)
            if kept is None:
                return None
            answer = Answer.load(kept)
            self.shelf.put(key, answer)
        if answer.revision != wanted:
            answer.retry_at = time.monotonic() + RETRY_SECONDS
        return answer

    def _together(self, key: str, wanted: Revision | None, fetch: Callable[[], Answer]) -> Answer:
        """Have one thread fetch an answer and the others wait for it.

        An error is for all, but for one client's own: who has waited then fetches the answer for
        itself.
        """
        with self._lock:
            flight = self._flights.get((key, wanted))
            leading = flight is None
            if flight is None:
                flight = self._flights[key, wanted] = Future()
        if not leading:
            try:
                return flight.result(PLACED_CLAIM_SECONDS)
            except FutureTimeoutError:
                return fetch()
            except Exception as error:
                if self._is_one_clients(error):
                    return fetch()
                raise
        try:
            flight.set_result(fetch())
        except BaseException as error:
            flight.set_exception(error)
        finally:
            with self._lock:
                del self._flights[key, wanted]
        return flight.result()


@functools.lru_cache(maxsize=256)
def _http_date(moment: dt.datetime) -> str:
    """Write a moment for HTTP: most answers are of one revision."""
    return email.utils.format_datetime(moment, usegmt=True)


def mark(revision: Revision) -> bytes:
    """Return what the dump of an answer of this revision begins with.

    The moment tells apart two revisions of one number, as there are after a backup was restored.
    """
    return b"%d %d " % (revision.number, round(revision.changed_at.timestamp() * 1e6))
