"""Draws, forks, draws in the child, and draws again in the parent."""

import os
import sys

from pypistats.render import Renderer
from tests.figures import figure

PNG = {"format": "png", "width": 400, "height": 200, "scale": 1}


def main() -> None:
    renderer = Renderer(browser=None, seconds=60, places=1)
    first = renderer.render(figure(), PNG)
    sys.stdout.write("parent ")
    sys.stdout.flush()
    child = os.fork()
    if renderer.render(figure(), PNG) != first:
        sys.exit(1)
    if not child:
        sys.stdout.write("child ")
        return
    _pid, status = os.waitpid(child, 0)
    # The child has ended in the usual way, destructors and all.
    if status or renderer.render(figure(title="another"), PNG) == first:
        sys.exit(1)
    sys.stdout.write("parent\n")


if __name__ == "__main__":
    main()
