"""How gunicorn serves the site; the settings are those of pypistats.config."""

import os

from pypistats.config import load_config

_config = load_config(os.environ)

bind = f"{_config['HOST']}:{_config['PORT']}"
workers = _config["WEB_CONCURRENCY"]
threads = _config["WEB_THREADS"]
worker_class = "gthread"
# The app answers overlong names itself, in the API's own shape.
limit_request_line = 8190
# It would lie in the home directory, where two servers of one user meet.
control_socket_disable = True
