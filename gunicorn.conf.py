"""How gunicorn serves the site, where it is preferred to pypistats.server: same settings."""

import gc
import os
import sys
from pathlib import Path

from pypistats.config import ConfigError, load_config

_MEMORY = "/dev/shm"  # noqa: S108

try:
    _config = load_config(os.environ)
except ConfigError as error:
    sys.exit(f"{error}")

_host = f"[{_config['HOST']}]" if ":" in _config["HOST"] else _config["HOST"]
bind = f"{_host}:{_config['PORT']}"
workers = _config["WEB_CONCURRENCY"]
threads = _config["WEB_THREADS"]
worker_class = "gthread"
# The app is made once, before the workers part: they start at once and share its memory. It opens
# no connection and starts no thread before its first request.
preload_app = True
# Longer than the proxies in front keep an idle connection, so that they never use a closed one.
keepalive = 75
# Platforms kill after 30 seconds.
graceful_timeout = 25
# The workers' signs of life need no disk.
worker_tmp_dir = _MEMORY if Path(_MEMORY).is_dir() else None
# The app answers overlong names itself, in the API's own shape.
limit_request_line = 8190
# It would lie in the home directory, where two servers of one user meet.
control_socket_disable = True


def when_ready(_server: object) -> None:
    """Keep what the app consists of from the garbage collector, which would copy its pages."""
    gc.collect()
    gc.freeze()
