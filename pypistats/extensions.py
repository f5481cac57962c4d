"""The Flask extensions of what writes, unbound: `create_app` binds them.

A web process only reads, and does without: to import them takes 30 MiB.
"""

from typing import Any

from celery import Celery, Task
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of the typed models."""


db = SQLAlchemy(model_class=Base)


def celery_init_app(app: Flask) -> Celery:
    """Give `app` its Celery, set up by the app's `CELERY`; each task runs in an app context."""

    class FlaskTask(Task[Any, Any]):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app: Celery[Task[Any, Any]] = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app
