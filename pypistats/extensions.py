"""The Flask extensions, unbound: `create_app` binds them."""

from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of the typed models."""


db = SQLAlchemy(model_class=Base)
migrate = Migrate()
