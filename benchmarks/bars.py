"""What figures are to be: each is printed beside its bar, and whether it meets it."""

import click


class Bars:
    """Figures with their bars, in the order in which they were noted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._missed = 0

    def at_most(self, title: str, figure: float, bar: float, unit: str = "") -> None:
        """Note a figure that must not be above its bar."""
        self._note(title, figure, f"at most {bar:g}", unit, met=figure <= bar)

    def at_least(self, title: str, figure: float, bar: float, unit: str = "") -> None:
        """Note a figure that must not be below its bar."""
        self._note(title, figure, f"at least {bar:g}", unit, met=figure >= bar)

    def _note(self, title: str, figure: float, bar: str, unit: str, *, met: bool) -> None:
        self._missed += not met
        verdict = "met" if met else "NOT MET"
        self._lines.append(f"{title:64}{figure:>9,.2f} {unit:5}{bar:>14}  {verdict}")

    def print(self) -> None:
        """Print them all, and how many were missed."""
        click.echo(f"\nbars: {len(self._lines)}, not met: {self._missed}")
        for line in self._lines:
            click.echo(line)
