"""What `celery --app celery_worker` runs: the app's tasks, on the queue of REDIS_URL."""

from pypistats import create_app
from pypistats.config import ConfigError

flask_app = create_app()
if flask_app.config["REDIS_URL"] is None:
    raise ConfigError("REDIS_URL is not set. The worker and beat meet at that server")
celery_app = flask_app.extensions["celery"]
