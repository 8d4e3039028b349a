"""`.env.example` is generated from the settings and equals their defaults."""

from pathlib import Path

from hean.app.settings import AppSettings
from hean.config import effective, example_text, load

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def test_the_committed_example_is_current() -> None:
    """The file is what `hean-app config example` writes now."""
    assert EXAMPLE.read_text() == example_text(AppSettings)


def test_loading_the_example_equals_the_defaults() -> None:
    """A user who copies the file to `.env` unchanged changes nothing."""
    loaded = load(AppSettings, environ={}, env_file=EXAMPLE)
    assert effective(loaded.settings) == effective(AppSettings())
