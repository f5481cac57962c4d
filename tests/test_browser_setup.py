"""How a machine gets a browser, with programs of the names that are asked for on PATH."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
AS_ROOT = os.geteuid() == 0
STARTS = "#!/bin/sh\nexit 0\n"
FAILS = "#!/bin/sh\nexit 1\n"


class Machine:
    """A PATH with the programs that a test puts there, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        self._home = folder

    def put(self, name: str, script: str) -> Path:
        program = self.programs / name
        program.write_text(script)
        program.chmod(0o755)
        return program

    def puts(self, path: Path, script: str = STARTS) -> str:
        """Return a script that writes down how it is called and puts a browser at `path`."""
        (self._home / "browser").write_text(script)
        return (
            f'#!/bin/sh\necho "$0 $*" >> {self._home}/calls\n/bin/mkdir -p {path.parent}\n'
            f"/bin/cp {self._home}/browser {path}\n/bin/chmod +x {path}\n"
        )

    def get_browser(self, **environ: str) -> list[str]:
        """Return the lines that are printed."""
        done = subprocess.run(
            [sys.executable, "-m", "pypistats.browser_setup"],
            cwd=ROOT,
            env={
                "PATH": str(self.programs),
                "HOME": str(self._home),
                "XDG_DATA_HOME": str(self._home / "data"),
                **environ,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    def calls(self) -> str:
        return (self._home / "calls").read_text().replace(f"{self.programs}/", "")

    @property
    def download(self) -> Path:
        """The path of a Chrome that kaleido has downloaded."""
        return self._home / "data" / "choreographer" / "deps" / "chrome-linux64" / "chrome"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine without a browser, where nothing can be installed."""
    machine = Machine(tmp_path)
    machine.put("apt-get", FAILS)
    machine.put("kaleido_get_chrome", FAILS)
    return machine


@pytest.mark.parametrize("name", ["chromium-headless-shell", "chromium", "google-chrome", "chrome"])
def test_a_browser_on_the_path_is_taken(machine: Machine, name: str) -> None:
    machine.put(name, STARTS)

    assert machine.get_browser() == []


def test_the_named_browser_is_taken(machine: Machine) -> None:
    named = machine.put("own", STARTS)

    assert machine.get_browser(BROWSER_PATH=str(named)) == []


def test_root_gets_debians_package_and_a_font_for_other_scripts(machine: Machine) -> None:
    machine.put("apt-get", machine.puts(machine.programs / "chromium-headless-shell"))
    machine.put("kaleido_get_chrome", machine.puts(machine.download))

    printed = machine.get_browser()

    if AS_ROOT:
        assert printed == [
            (
                "pypistats: installing Debian's chromium-headless-shell,"
                " which draws the pictures of charts"
            )
        ]
        assert machine.calls() == (
            "apt-get -qq -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends"
            " chromium-headless-shell fonts-droid-fallback\n"
        )
    else:
        assert machine.calls() == "kaleido_get_chrome \n"


def test_without_a_package_kaleidos_download_is_taken(machine: Machine) -> None:
    machine.put("kaleido_get_chrome", machine.puts(machine.download))

    printed = machine.get_browser()

    assert printed[-1] == (
        "pypistats: downloading a Chrome by kaleido_get_chrome, which draws the pictures of charts"
    )
    assert machine.calls() == "kaleido_get_chrome \n"
    assert machine.get_browser() == []


@pytest.mark.parametrize("broken", [False, True])
def test_without_any_it_says_how_to_get_one_and_goes_on(machine: Machine, broken: bool) -> None:
    if broken:
        machine.put("kaleido_get_chrome", machine.puts(machine.download, FAILS))

    assert machine.get_browser()[-3:] == [
        (
            "pypistats: there is no browser that starts. To get one:"
            " sudo apt-get install chromium-headless-shell fonts-droid-fallback"
        ),
        "pypistats: or let BROWSER_PATH name a Chrome or Chromium",
        "pypistats: going on without: pictures of charts answer 503, and all else works",
    ]


def test_a_machine_without_apt_is_told_of_the_download(machine: Machine) -> None:
    (machine.programs / "apt-get").unlink()

    assert machine.get_browser()[-3] == (
        "pypistats: there is no browser that starts. To get one:"
        f" {Path(sys.executable).parent / 'kaleido_get_chrome'}"
    )


def test_a_named_browser_that_is_not_there_is_told_and_not_replaced(machine: Machine) -> None:
    machine.put("chromium", STARTS)

    assert machine.get_browser(BROWSER_PATH="/nowhere/chrome") == [
        "pypistats: BROWSER_PATH names no program that starts: /nowhere/chrome",
        "pypistats: going on without: pictures of charts answer 503, and all else works",
    ]
