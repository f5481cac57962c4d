"""Pages that are rendered once and filled in for each package."""

import pytest
from flask import Flask
from markupsafe import Markup

from pypistats.views import forms
from pypistats.views.filters import address
from pypistats.views.forms import Form, blank, kept_form


def test_each_blank_gets_its_value() -> None:
    form = Form(f"<h1>{blank('package')}</h1><p>{blank('days')} of {blank('package')}-wheels")

    assert form.filled({"package": "flask", "days": "7"}) == b"<h1>flask</h1><p>7 of flask-wheels"


def test_what_is_no_markup_is_escaped() -> None:
    form = Form(f"{blank('text')}{blank('markup')}")

    assert form.filled({"text": "<b>", "markup": Markup("<i>")}) == b"&lt;b&gt;<i>"


def test_a_value_that_looks_like_a_blank_is_none() -> None:
    form = Form(f"{blank('package')}")

    assert form.filled({"package": blank("days"), "days": "7"}) == blank("days").encode()


def test_a_blank_stays_one_in_an_address(app: Flask) -> None:
    with app.test_request_context():
        form = Form(address("pages.package", name=blank("package"), releases="major"))

    assert form.filled({"package": "flask"}) == b"/packages/flask?releases=major"


def test_a_form_is_made_once_for_a_state_of_the_data(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MOST", 2)
    made: list[str] = []

    def form(state: object, key: str) -> Form:
        return kept_form(state, key, lambda: made.append(key) or key)

    with app.app_context():
        old, new = object(), object()
        assert form(old, "a") is form(old, "a")
        form(old, "b")
        form(old, "b")
        assert made == ["a", "b"]

        form(old, "c")
        assert form(old, "a").filled({}) == b"a"
        assert made == ["a", "b", "c", "a"]

        form(new, "a")
        assert made == ["a", "b", "c", "a", "a"]
