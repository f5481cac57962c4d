"""Start bqemulator; run by the Python of `.venv-emulator`, which lacks everything else of ours.

On start the emulator downloads DuckDB's extension for geography, and does not start without. The
table has no geography, and a test machine may have no network, so that step is left out.
"""

from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

DuckDBEngine._load_spatial = lambda _engine: None

if __name__ == "__main__":
    main()
