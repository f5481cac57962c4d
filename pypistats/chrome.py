"""PRESENT: one headless Chrome that draws figures by kaleido. The only module that calls kaleido.

The event loop that kaleido needs runs in a thread of its own. kaleido waits without bounds in many
places, so each wait here has its own bound, and a Chrome that overstepped it is killed, never
reasoned with. `chrome_guard.py` ends a Chrome whose web process has ended, however that came.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError
from pathlib import Path
from typing import Any

from choreographer.browsers import Chromium
from kaleido import Kaleido, PageGenerator
from kaleido.errors import KaleidoError

from pypistats import chrome_guard
from pypistats.browsers import ChromeGoneError
from pypistats.chrome_folder import ChromeFolder

logger = logging.getLogger(__name__)
logging.getLogger("choreographer").setLevel(logging.ERROR)

HERE = Path(__file__).resolve().parent
PLOTLY = HERE.parent / "static" / "vendor" / "plotly-basic.min.js"
TEXTS = HERE / "svg_texts.js"

FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-breakpad",
    "--disable-component-update", "--disable-background-networking", "--disable-sync",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--disable-hang-monitor", "--no-first-run",
    "--no-default-browser-check", "--password-store=basic", "--use-mock-keychain",
    # Two processes less.
    "--in-process-gpu", "--no-zygote",
    # It needs no other host, so it can reach none.
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND",
    # A picture looks the same on each machine.
    "--force-color-profile=srgb", "--font-render-hinting=none", "--hide-scrollbars",
)  # fmt: skip

POLICY = "default-src 'none'; script-src file:; style-src 'unsafe-inline'; img-src data: blob:"
"""What the page that draws may load: its own scripts, and images that are made in it."""

FONTS = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{HERE / "fonts"}</dir>
  <include ignore_missing="yes">fonts.conf</include>
</fontconfig>
"""

IDLE_SECONDS = 300
CLEAN_UP_SECONDS = 10
GARBAGE_AFTER = 20

INHERITED = ("PATH", "LD_LIBRARY_PATH", "FONTCONFIG_PATH")
"""The variables that Chrome may see: the others hold passwords."""


class FigureError(ValueError):
    """plotly.js refused a figure, which is a fault of the code that made it."""


class Chrome:
    """One Chrome with a page that draws. Not for several threads at a time."""

    def __init__(self, browser: str) -> None:
        self.pictures = 0
        self._folder = ChromeFolder()
        self._gone: Future[None] = Future()
        self._kaleido = _Kaleido(browser, self._folder.path, self._gone)
        self._idle: asyncio.TimerHandle | None = None
        self._killed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log_quietly)
        threading.Thread(target=self._run, name="chrome", daemon=True).start()

    @property
    def gone(self) -> bool:
        """Whether it has ended, by itself or by `kill`."""
        return self._gone.done()

    def open(self, seconds: float) -> None:
        """Start the process. Raises ChromeGoneError or TimeoutError."""
        self._wait_for(self._kaleido.open(), seconds)

    def draw(self, figure: Mapping[str, Any], options: Mapping[str, Any], seconds: float) -> bytes:
        """Return the picture. Raises ChromeGoneError, TimeoutError or FigureError.

        `options` are kaleido's: format, width, height and scale.
        """
        self.pictures += 1
        drawing = self._kaleido.calc_fig(figure, options)
        picture: bytes = self._wait_for(drawing, seconds)
        self._loop.call_soon_threadsafe(self._rest)
        if self.pictures % GARBAGE_AFTER == 0:
            asyncio.run_coroutine_threadsafe(self._kaleido.collect_garbage(), self._loop)
        return picture

    def kill(self) -> None:
        """End it at once with all of its processes and files; its threads end by themselves."""
        self._kaleido.kill()
        self._folder.remove()
        with contextlib.suppress(RuntimeError):  # its loop may be closed by now
            self._loop.call_soon_threadsafe(self._killed.set)

    def _wait_for(self, coroutine: Coroutine[Any, Any, Any], seconds: float) -> Any:
        """Return what the coroutine returns, unless Chrome ends before or time runs out."""
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()
            raise ChromeGoneError(repr(error)) from error
        concurrent.futures.wait([future, self._gone], seconds, FIRST_COMPLETED)
        if not future.done():
            future.cancel()
            if self.gone:
                raise ChromeGoneError("its process or its tab has ended")
            raise TimeoutError
        try:
            return future.result()
        except (KaleidoError, TypeError, ValueError) as error:
            raise FigureError(str(error)) from error
        except Exception as error:  # kaleido has no end of errors for a lost Chrome
            raise ChromeGoneError(repr(error)) from error

    def _rest(self) -> None:
        """Begin to count the idle time anew."""
        if self._idle:
            self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_SECONDS, self.kill)

    def _run(self) -> None:
        """Run the event loop until `kill`."""
        self._loop.run_until_complete(self._live())
        self._loop.close()

    async def _live(self) -> None:
        await self._killed.wait()
        self._kaleido.wait()
        with contextlib.suppress(Exception):
            await self._kaleido.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            _ended, stuck = await asyncio.wait(tasks, timeout=CLEAN_UP_SECONDS)
            for task in stuck:
                task.cancel()


def _log_quietly(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what comes after the end of a Chrome, which was reported by then."""
    logger.debug("%(message)s: %(exception)r", {"exception": None} | context)


class _Kaleido(Kaleido):
    """A kaleido with one page, which tells when its Chrome has ended.

    The page is not loaded anew after each picture, which takes twice the time of drawing it:
    plotly.js takes away what it has added to the page, and no other script runs there.
    """

    def __init__(self, browser: str, folder: Path, gone: "Future[None]") -> None:
        self._when_gone = gone
        page = PageGenerator(
            plotly=PLOTLY.as_uri(), mathjax=False, others=[TEXTS.as_uri()]
        ).generate_index()
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        index = folder / "index.html"
        index.write_text(page.replace("<head>", f"<head>{policy}"))
        super().__init__(
            timeout=None,
            page_generator=index,
            path=browser,
            browser_cls=_GuardedChromium,
            tmp_dir=str(folder),
        )

    async def open(self) -> None:
        await super().open()
        for tab in self.tabs.values():
            tab.subscribe("Inspector.targetCrashed", self._tab_crashed)
            await tab.send_command("Inspector.enable")

    async def collect_garbage(self) -> None:
        """Have the pages give memory back: Chrome by itself lets it grow to three times as much."""
        for tab in self.tabs.values():
            await tab.send_command("HeapProfiler.collectGarbage")

    async def close(self) -> None:
        """Be told of the end: kaleido calls this too, once the process is gone."""
        self._tell()
        await super().close()

    def kill(self) -> None:
        """Kill the guard, and Chrome in its process group, where they have been started."""
        self._tell()
        process = getattr(self, "subprocess", None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for the end of a process that was killed; kaleido would ask it to close first."""
        process = getattr(self, "subprocess", None)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLEAN_UP_SECONDS)

    async def _tab_crashed(self, _event: object) -> None:
        self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(InvalidStateError):  # told before
            self._when_gone.set_result(None)

    async def _return_kaleido_tab(self, tab: Any) -> None:
        await self.tabs_ready.put(tab)


class _GuardedChromium(Chromium):
    """A Chrome that is started by the guard, with its files in one folder."""

    def pre_open(self) -> None:
        """Make nothing: the folder is there, and is removed by `Chrome` or by the guard."""
        self._folder = Path(self._tmp_dir_path)
        (self._folder / "fonts.xml").write_text(FONTS)

    def get_cli(self) -> Sequence[str]:
        guard = (sys.executable, "-I", "-S", chrome_guard.__file__, str(self._folder))
        profile = f"--user-data-dir={self._folder / 'profile'}"
        return (*guard, str(self.path), *FLAGS, profile)

    def get_env(self) -> dict[str, str]:
        own = {
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "FONTCONFIG_FILE": str(self._folder / "fonts.xml"),
        }
        return {name: os.environ[name] for name in INHERITED if name in os.environ} | own

    def clean(self) -> None:
        """Leave the folder, so that a forked process can't remove what is not its own."""
