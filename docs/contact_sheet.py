"""Put the charts of five packages side by side in docs/charts.png, to be looked at.

python docs/contact_sheet.py [http://127.0.0.1:5000]    # a running site with sample data
"""

import sys
import time
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path

from PIL import Image

PACKAGES = ("boto3", "requests", "numpy", "pywin32", "zope-testrecorder")
TYPES = ("overall", "python_major", "python_minor", "system", "installer", "version")
KINDS = ("line", "bar")
THEMES = ("light", "dark")
SIZE = "width=830&height=415"
TILE = (374, 187)
GAP = 6
BEHIND = "#8c959f"
COLOURS = 160
SHEET = Path(__file__).with_name("charts.png")


def chart(address: str) -> Image.Image:
    """Return a picture; a site that is busy or counts what one client asks for is asked again."""
    while True:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
                return Image.open(BytesIO(answer.read())).convert("RGB")
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(int(error.headers["Retry-After"]))


def sheet(site: str) -> Image.Image:
    """Return all charts: a row for each package and theme, a column for each type and kind."""
    rows = [(package, theme) for package in PACKAGES for theme in THEMES]
    columns = [(dimension, kind) for dimension in TYPES for kind in KINDS]
    width, height = (side + GAP for side in TILE)
    whole = Image.new("RGB", (len(columns) * width + GAP, len(rows) * height + GAP), BEHIND)
    for row, (package, theme) in enumerate(rows):
        for column, (dimension, kind) in enumerate(columns):
            address = f"{site}/api/packages/{package}/chart/{dimension}"
            tile = chart(f"{address}?chart={kind}&theme={theme}&{SIZE}")
            place = (column * width + GAP, row * height + GAP)
            whole.paste(tile.resize(TILE, Image.Resampling.LANCZOS), place)
    return whole


if __name__ == "__main__":
    site = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
    sheet(site).quantize(COLOURS, dither=Image.Dither.NONE).save(SHEET, optimize=True)
