"""PRESENT: pictures of figures, drawn by one Chrome in each web process.

Chrome is started by the first picture, never before, so that no process inherits one by a fork.
Whatever happens to it, a call returns its own picture or raises, within its time. What draws is
imported by the first picture as well: it takes a web process's start a third longer.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from pypistats.browsers import ChromeGoneError, find_browser

if TYPE_CHECKING:
    from pypistats.chrome import Chrome

logger = logging.getLogger(__name__)

COLOURS = 256
CORNER = (0, 0, 1, 1)
MOST_PICTURES = 500
"""After this many, Chrome is replaced, since its memory grows."""

MOST_WAITING = 0.5
"""The part of a picture's time that it may wait for its turn: the rest is left to draw it."""

BUSY = "Too many charts are being drawn."
BROKEN = "The browser that draws charts does not work."

SOON = 2
LATER = 30
MUCH_LATER = 600
"""Seconds after which a client may ask again."""


class RenderUnavailableError(Exception):
    """No picture can be drawn now; `retry_after` says in how many seconds to ask again."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


def register_renderer(app: Flask) -> None:
    """Give the app a renderer; this starts nothing."""
    app.extensions["renderer"] = Renderer(
        browser=app.config["BROWSER_PATH"],
        seconds=app.config["RENDER_SECONDS"],
        places=app.config["RENDER_PLACES"],
    )


def render_image(
    figure: Mapping[str, Any], *, width: int, height: int, scale: float, image_format: str
) -> bytes:
    """Return the picture of a figure, as PNG or SVG. Raises RenderUnavailableError.

    The caller needs no `place`, and if it has one, uses that.
    The figure is `{data, layout}` and must be the site's own: a user's could make Chrome load
    what it names. A PNG is `width` times `scale` pixels wide.
    """
    options = {"format": image_format, "width": width, "height": height, "scale": scale}
    picture: bytes = current_app.extensions["renderer"].render(figure, options)
    return shrink(picture) if image_format == "png" else picture


def place() -> AbstractContextManager[None]:
    """Hold one of the process's places for those who wait for a picture.

    Raises RenderUnavailableError at once when all are taken.
    """
    renderer: Renderer = current_app.extensions["renderer"]
    return renderer.place()


def shrink(png: bytes) -> bytes:
    """Return the picture with at most 256 colours, in about a third of the bytes.

    The colour of its corner, which is the background, stays exactly what it was.
    """
    from PIL import Image  # noqa: PLC0415

    image = Image.open(BytesIO(png)).convert("RGB")
    reduced = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette = reduced.getpalette() or []
    background = 3 * reduced.crop(CORNER).tobytes()[0]
    palette[background : background + 3] = image.crop(CORNER).tobytes()
    reduced.putpalette(palette)
    reduced.save(output := BytesIO(), "PNG")
    return output.getvalue()


class Renderer:
    """Draws one picture at a time, with a Chrome that is replaced when it fails or gets old."""

    def __init__(self, *, browser: str | None, seconds: float, places: int) -> None:
        self._browser = browser
        self._seconds = seconds
        self._number_of_places = places
        self._chrome: Chrome | None = None
        self._inherited: Chrome | None = None
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        """Begin without Chrome. One that was inherited by a fork is the parent's, so it is kept
        from the destructors, which would end what the two processes share."""
        self._chrome, self._inherited = None, self._chrome
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(self._number_of_places)
        self._mine = threading.local()
        self._broken_until = 0.0

    def render(self, figure: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
        """Return the picture as kaleido's `options` want it. Raises RenderUnavailableError."""
        end = time.monotonic() + self._seconds
        with self.place():
            if not self._turn.acquire(timeout=self._seconds * MOST_WAITING):
                raise RenderUnavailableError(BUSY, SOON)
            try:
                return self._draw(figure, options, end)
            finally:
                self._turn.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. A thread that has one needs no second."""
        if getattr(self._mine, "has_place", False):
            yield
            return
        if not self._places.acquire(blocking=False):
            raise RenderUnavailableError(BUSY, SOON)
        self._mine.has_place = True
        try:
            yield
        finally:
            self._mine.has_place = False
            self._places.release()

    def close(self) -> None:
        """End the Chrome, if there is one."""
        if self._chrome:
            self._chrome.kill()
            self._chrome = None

    def _draw(self, figure: Mapping[str, Any], options: Mapping[str, Any], end: float) -> bytes:
        """Draw, and once more with a fresh Chrome if it has ended meanwhile."""
        if time.monotonic() < self._broken_until:
            raise RenderUnavailableError(BROKEN, LATER)
        for _attempt in range(2):
            try:
                return self._ready_chrome(end).draw(figure, options, end - time.monotonic())
            except ChromeGoneError as error:
                logger.warning("Chrome has failed: %s", error)
                self.close()
            except TimeoutError:
                logger.warning("a picture took more than %g s; Chrome is ended", self._seconds)
                self.close()
                raise RenderUnavailableError("The chart takes too long to draw.", LATER) from None
        logger.error("Chrome does not work; no pictures for %d seconds", LATER)
        self._broken_until = time.monotonic() + LATER
        raise RenderUnavailableError(BROKEN, LATER)

    def _ready_chrome(self, end: float) -> "Chrome":
        if self._chrome and (self._chrome.gone or self._chrome.pictures >= MOST_PICTURES):
            self.close()
        if not self._chrome:
            self._chrome = self._started_chrome(end)
        return self._chrome

    def _started_chrome(self, end: float) -> "Chrome":
        from pypistats.chrome import Chrome  # noqa: PLC0415

        browser = find_browser(self._browser)
        if browser is None:
            raise RenderUnavailableError("This server has no browser to draw with.", MUCH_LATER)
        chrome = Chrome(browser)
        try:
            chrome.open(end - time.monotonic())
        except (ChromeGoneError, TimeoutError) as error:
            chrome.kill()
            raise ChromeGoneError(f"it does not start: {error!r}") from error
        return chrome
