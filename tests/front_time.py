"""The time that the layer before Flask goes by, for a test to set."""

import datetime as dt


class FrontTime:
    """Stands for the module `time` in `pypistats.front`."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 3, 16, 15, tzinfo=dt.UTC)
        """It begins in the afternoon after `DAY`, the last day that can be loaded then."""

    def time(self) -> float:
        return self.now.timestamp()

    def monotonic(self) -> float:
        return self.now.timestamp()

    def wait(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)
