"""The files of others that the site serves: exactly what their makers released."""

import hashlib
from pathlib import Path

from plotly.offline import get_plotlyjs_version

VENDOR = Path(__file__).parent.parent / "static" / "vendor"
PLOTLY = VENDOR / "plotly-basic.min.js"

SHA256 = {
    # npm's plotly.js-basic-dist-min 4.1.1
    "plotly-basic.min.js": "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba",
}


def test_scripts_are_the_released_ones() -> None:
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")
    }

    assert found == SHA256


def test_plotly_is_the_version_that_the_python_package_has() -> None:
    banner = PLOTLY.read_text(encoding="utf-8")[:200]

    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}\n" in banner


def test_every_script_has_its_licence_beside_it() -> None:
    for name in SHA256:
        licence = VENDOR / name.replace(".min.js", ".LICENSE.txt")
        assert "Permission is hereby granted" in licence.read_text()
