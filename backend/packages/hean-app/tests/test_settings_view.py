import json

import pytest

from hean.app.settings import AppSettings
from hean.app.settings_view import print_settings
from hean.app.testing import settings_with
from hean.config import Loaded, effective, load, settings_lines, settings_sha256


@pytest.fixture
def loaded() -> Loaded[AppSettings]:
    """Settings from an argument and the process, with a secret among them."""
    return load(
        AppSettings,
        arguments={"INITIAL_CAPITAL": "500"},
        environ={"RISK__MAX_POSITIONS": "4", "BYBIT_API_KEY": "sesame"},
    )


def test_every_setting_with_its_source(
    loaded: Loaded[AppSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    """The table has a line for each setting: name, value, where it came from."""
    print_settings(loaded, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines}
    assert list(table) == [name for name, _, _ in settings_lines(AppSettings)]
    assert table["INITIAL_CAPITAL"] == ["500", "argument"]
    assert table["RISK__MAX_POSITIONS"] == ["4", "process"]
    assert table["STATE_DIR"] == ["-", "default"]


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_not_shown(
    loaded: Loaded[AppSettings], capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """A secret that is set shows as stars."""
    print_settings(loaded, as_json=as_json)
    out = capsys.readouterr().out
    assert "sesame" not in out
    assert "***" in out


def test_json(loaded: Loaded[AppSettings], capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON each name has its value and source."""
    print_settings(loaded, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["INITIAL_CAPITAL"] == {"value": "500", "source": "argument"}


def test_a_model_is_journaled_by_its_coefficients() -> None:
    """A model set as JSON is in the settings' text and digest, and reads back as it was."""
    name = "STRATEGIES__IMPULSE_ENGINE__REVERSAL_MODEL"
    model = '{"version": "1", "intercept": -0.5, "weights": {"ofi_10": 0.25}}'
    given, plain = settings_with(**{name: model}), settings_with()
    noted = effective(given)[name]
    again = settings_with(**{name: noted})
    assert again.strategies == given.strategies
    assert effective(again)[name] == noted
    assert settings_sha256(again) == settings_sha256(given) != settings_sha256(plain)
    assert effective(plain)[name] == ""
