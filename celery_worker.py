"""What `celery --app celery_worker` runs: the app's tasks, on the queue of REDIS_URL."""

import sys

from pypistats import create_app
from pypistats.config import ConfigError

try:
    flask_app = create_app()
except ConfigError as error:
    # Celery would put its usage and a traceback before it.
    sys.exit(f"{error}")
if flask_app.config["REDIS_URL"] is None:
    sys.exit("REDIS_URL is not set. The worker and beat meet at that server")
celery_app = flask_app.extensions["celery"]
