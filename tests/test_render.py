"""Pictures by a real Chrome: each its caller's own, in time, whatever happens to Chrome."""

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from PIL import Image

from pypistats import chrome, render
from pypistats.chrome import FigureError
from pypistats.render import Renderer, RenderUnavailableError, shrink
from tests import chrome_processes
from tests.figures import endless_figure, figure

PNG = {"format": "png", "width": 400, "height": 200, "scale": 1}
PATIENT = 120
"""Seconds that a picture may take where it is not the point: other programs may be at work."""


@pytest.fixture(scope="module", autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have this module's Chromes in a folder of their own: other tests may have one that runs."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("chromes"))
    yield
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(browser=None, seconds=PATIENT, places=8)
    yield renderer
    renderer.close()


def until(holds: Callable[[], Any]) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def guards() -> list[psutil.Process]:
    return chrome_processes.guards(os.getpid(), Path(tempfile.gettempdir()))


def part(name: str) -> psutil.Process:
    """Return a part of the only Chrome."""
    (guard,) = guards()
    return chrome_processes.part(name, guard)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def size(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png)).size


def test_a_picture_has_the_size_that_is_asked_for(renderer: Renderer) -> None:
    assert size(renderer.render(figure(), PNG)) == (400, 200)
    assert size(renderer.render(figure(), PNG | {"scale": 1.5})) == (600, 300)


def test_an_svg_is_text_of_that_size(renderer: Renderer) -> None:
    svg = renderer.render(figure(title="ein Gruß"), PNG | {"format": "svg"}).decode()

    assert re.match(r'<svg [^>]*width="400" height="200"', svg)
    assert "ein Gruß" in svg


def test_each_thread_gets_its_own_pictures(renderer: Renderer) -> None:
    sizes = [(300 + 10 * thread, 200 + number) for thread in range(8) for number in range(6)]

    def draw(six: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [
            size(renderer.render(figure(), PNG | {"width": width, "height": height}))
            for width, height in six
        ]

    with ThreadPoolExecutor(8) as threads:
        drawn = threads.map(draw, [sizes[start : start + 6] for start in range(0, 48, 6)])

    assert [size for six in drawn for size in six] == sizes


def test_a_picture_is_the_same_whatever_was_drawn_before(renderer: Renderer) -> None:
    first = renderer.render(figure(), PNG)
    for series in range(1, 11):
        renderer.render(figure(series, title=f"{series} others"), PNG | {"width": 300 + series})

    assert renderer.render(figure(), PNG) == first


@pytest.mark.parametrize("name", ["wrapper", "chrome", "tab"])
def test_after_a_part_of_chrome_was_killed_the_next_call_succeeds(
    renderer: Renderer, name: str
) -> None:
    before = renderer.render(figure(), PNG)
    victim = part(name)
    victim.kill()
    victim.wait(PATIENT)

    assert renderer.render(figure(), PNG) == before


@pytest.mark.parametrize("name", ["wrapper", "chrome", "tab"])
def test_a_call_during_which_a_part_of_chrome_is_killed_succeeds(
    renderer: Renderer, name: str
) -> None:
    large = figure(50, 5000)
    renderer.render(figure(), PNG)
    tab = part("tab")
    victim = part(name)
    idle = tab.cpu_times().user
    with ThreadPoolExecutor(1) as thread:
        drawing: Future[bytes] = thread.submit(renderer.render, large, PNG)
        until(lambda: tab.cpu_times().user > idle + 0.1)
        victim.kill()

        assert size(drawing.result()) == (400, 200)
    assert part(name) != victim


def test_a_stuck_call_is_given_up_while_others_are_refused_at_once() -> None:
    small = Renderer(browser=None, seconds=5, places=1)
    others = len(guards())
    with ThreadPoolExecutor(1) as thread:
        stuck = thread.submit(small.render, endless_figure(), PNG)
        until(lambda: len(guards()) > others)

        with pytest.raises(RenderUnavailableError, match=r"^Too many charts") as refused:
            small.render(figure(), PNG)
        assert not stuck.done()
        with pytest.raises(RenderUnavailableError, match=r"^The chart takes too long") as given_up:
            stuck.result()

    assert (refused.value.retry_after, given_up.value.retry_after) == (2, 30)
    until(lambda: is_drawn(small))
    small.close()


def is_drawn(renderer: Renderer) -> bool:
    try:
        return size(renderer.render(figure(), PNG)) == (400, 200)
    except RenderUnavailableError:
        return False


@pytest.mark.parametrize(
    ("browser", "reason", "retry_after"),
    [
        ("/nowhere/chrome", "This server has no browser to draw with.", 600),
        ("/bin/false", "The browser that draws charts does not work.", 30),
    ],
)
def test_without_a_browser_a_call_is_refused(browser: str, reason: str, retry_after: int) -> None:
    for _call in range(2):
        with pytest.raises(RenderUnavailableError) as caught:
            Renderer(browser=browser, seconds=PATIENT, places=1).render(figure(), PNG)

        assert (str(caught.value), caught.value.retry_after) == (reason, retry_after)


def test_a_figure_that_can_not_be_is_refused_and_chrome_goes_on(renderer: Renderer) -> None:
    before = part("chrome")

    with pytest.raises(FigureError):
        renderer.render({"data": [{"type": "scatter", "x": object()}]}, PNG)

    assert size(renderer.render(figure(), PNG)) == (400, 200)
    assert part("chrome") == before


def test_a_chrome_that_has_drawn_much_is_replaced(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "MOST_PICTURES", 1)
    renderer.render(figure(), PNG)
    before = part("chrome")

    renderer.render(figure(), PNG)

    assert part("chrome") != before


def test_an_idle_chrome_ends_and_the_next_call_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrome, "IDLE_SECONDS", 0)
    others = len(guards())
    renderer = Renderer(browser=None, seconds=PATIENT, places=1)

    for _call in range(2):
        assert size(renderer.render(figure(), PNG)) == (400, 200)
        until(lambda: len(guards()) == others)


def test_threads_files_and_folders_of_a_chrome_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads, files = threading.enumerate(), open_files()
    for _time in range(2):
        renderer = Renderer(browser=None, seconds=PATIENT, places=1)
        renderer.render(figure(), PNG)
        assert chrome_processes.leftovers(tmp_path)
        renderer.close()
        assert list(tmp_path.iterdir()) == []

    until(lambda: set(threading.enumerate()) <= set(threads))
    assert open_files() <= files
    assert chrome_processes.leftovers(tmp_path) == []


def test_a_folder_that_nobody_holds_any_more_is_removed_by_who_starts_a_chrome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    holding, starting = (Renderer(browser=None, seconds=PATIENT, places=1) for _renderer in "ab")
    holding.render(figure(), PNG)
    (held,) = tmp_path.iterdir()
    abandoned, young = tmp_path / "pypistats-chrome-old", tmp_path / "pypistats-chrome-new"
    for folder in (abandoned, young):
        (folder / "profile").mkdir(parents=True)
    for folder in (held, abandoned):
        os.utime(folder, (0, 0))

    starting.render(figure(), PNG)

    assert held.exists()
    assert young.exists()
    assert not abandoned.exists()
    for renderer in (holding, starting):
        renderer.close()


def test_chrome_sees_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/name")
    fresh = Renderer(browser=None, seconds=PATIENT, places=1)
    fresh.render(figure(), PNG)
    environ = guards()[-1].environ()
    fresh.close()

    assert set(environ) <= {
        "PATH", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE", "HOME", "TMPDIR",
    }  # fmt: skip


def test_the_sites_own_font_is_used_on_each_machine(renderer: Renderer) -> None:
    def drawn_in(family: str) -> bytes:
        return renderer.render(figure() | {"layout": {"font": {"family": family}}}, PNG)

    assert drawn_in("Inter") != drawn_in("no such font") == drawn_in("another such font")


@pytest.mark.parametrize("title", ["下载 ダウンロード 다운로드", "تنزيلات הורדות", "загрузки ↓ 📦"])
def test_text_in_other_scripts_breaks_nothing(renderer: Renderer, title: str) -> None:
    assert size(renderer.render(figure(title=title), PNG)) == (400, 200)


class Foreign(BaseHTTPRequestHandler):
    """Notes what it is asked for."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Keep still."""


@pytest.fixture
def foreign_url() -> Iterator[str]:
    """Serve an address that nothing should ask for."""
    Foreign.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_figure_can_load_nothing(renderer: Renderer, foreign_url: str, tmp_path: Path) -> None:
    plain = renderer.render(figure(), PNG)
    picture = tmp_path / "secret.png"
    Image.new("RGB", (50, 50), "red").save(picture)
    everywhere = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "sizex": 1, "sizey": 1}
    hostile = figure()
    hostile["layout"]["images"] = [
        {"source": source, **everywhere} for source in (f"{foreign_url}/image", picture.as_uri())
    ]

    drawn = renderer.render(hostile, PNG)

    assert Foreign.asked == []
    assert drawn == plain


def test_html_in_a_text_is_not_run(renderer: Renderer, foreign_url: str) -> None:
    title = (
        f'<img src="{foreign_url}/img" onerror="fetch(\'{foreign_url}/error\')">'
        f'<script>fetch("{foreign_url}/script")</script><a href="{foreign_url}/link">a</a>'
        f'<span style="background: url({foreign_url}/style)">b</span>'
    )

    renderer.render(figure(title=title), PNG)

    assert Foreign.asked == []


def test_a_png_is_shrunk_to_a_third_and_keeps_its_background(renderer: Renderer) -> None:
    dark = figure()
    dark["layout"] |= {"paper_bgcolor": "#0d1117", "plot_bgcolor": "#0d1117"}
    options = {"format": "png", "width": 960, "height": 480, "scale": 1.25}

    for drawn, background in ((figure(), (255, 255, 255)), (dark, (13, 17, 23))):
        png = renderer.render(drawn, options)
        small = shrink(png)

        assert len(small) < len(png) / 2
        assert size(small) == (1200, 600)
        assert Image.open(BytesIO(small)).convert("RGB").getpixel((0, 0)) == background
