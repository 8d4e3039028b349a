from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from hean.config import (
    HEANSettings,
    Loaded,
    Section,
    Source,
    effective,
    example_text,
    load,
    settings_lines,
    settings_of,
    settings_sha256,
)
from hean.core.errors import SettingsError
from hean.core.testing import clean_environment


class Scalping(Section):
    """A strategy's settings."""

    entry_noise: float = Field(default=1.5, ge=1.0, le=3.0)
    """How many noises a move must be."""


class Strategies(Section):
    """One field a strategy."""

    hf_scalping: Scalping = Scalping()


class Risk(Section):
    """Settings of risk."""

    max_positions: int = Field(default=10, ge=1, le=100)
    """Slots of the account."""
    steps: tuple[float, ...] = (0.5, 1.0)
    """Three sizes."""
    caps: dict[str, float] = Field(default_factory=dict)
    """Caps by cluster."""
    kelly_enabled: bool = False
    """Whether to size by Kelly."""


class Venue(Section):
    """Settings of the venue."""

    latency_ms: int = 100
    """Milliseconds to the venue."""


class App(HEANSettings):
    """Everything."""

    venue: Venue = Venue()
    risk: Risk = Risk()
    strategies: Strategies = Strategies()
    paper_speed: float = 1.0
    """Factor of time."""


def _load(
    tmp_path: Path,
    *,
    arguments: dict[str, str] | None = None,
    process: dict[str, str] | None = None,
    written: str = "",
) -> Loaded[App]:
    path = tmp_path / ".env"
    path.write_text(written)
    return load(App, arguments=arguments, environ=process or {}, env_file=path)


@pytest.mark.parametrize(
    ("arguments", "process", "written", "expected", "source"),
    [
        ({"RISK__MAX_POSITIONS": "1"}, {"RISK__MAX_POSITIONS": "2"}, "3", 1, "argument"),
        (None, {"RISK__MAX_POSITIONS": "2"}, "3", 2, "process"),
        (None, {}, "3", 3, ".env"),
        (None, {"RISK__MAX_POSITIONS": ""}, "3", 3, ".env"),
        (None, {}, "", 10, "default"),
    ],
)
def test_arguments_win_over_the_process_over_the_file_over_defaults(
    tmp_path: Path,
    arguments: dict[str, str] | None,
    process: dict[str, str],
    written: str,
    expected: int,
    source: Source,
) -> None:
    """The first place that gives a value decides, and is told; an empty value gives none."""
    found = _load(
        tmp_path,
        arguments=arguments,
        process=process,
        written=f"RISK__MAX_POSITIONS={written}\n",
    )
    assert found.settings.risk.max_positions == expected
    assert found.sources["RISK__MAX_POSITIONS"] == source


@pytest.mark.parametrize(
    ("process", "written", "message"),
    [
        (
            {"RISK__MAX_POSITON": "3"},
            "",
            "unknown setting RISK__MAX_POSITON; nearest is RISK__MAX_POSITIONS",
        ),
        ({}, "INITIAL_CAPTAL=5", "unknown setting INITIAL_CAPTAL; nearest is INITIAL_CAPITAL"),
        ({}, "RSK__MAX_POSITIONS=5", "unknown setting RSK__MAX_POSITIONS; nearest is RISK__MAX_"),
        ({"STRATEGIES__HF_SCALPING__X": "1"}, "", "unknown setting STRATEGIES__HF_SCALPING__X;"),
        (
            {"RISK__MAX_POSITIONS": "0"},
            "",
            "RISK__MAX_POSITIONS=0 is out of bounds; give at least 1",
        ),
        (
            {"RISK__MAX_POSITIONS": "many"},
            "",
            "RISK__MAX_POSITIONS=many does not fit; give a valid",
        ),
        ({"INITIAL_CAPITAL": "-5"}, "", "INITIAL_CAPITAL=-5 is negative capital; give 0 or more"),
        ({"CASH_RESERVE_RATE": "nan"}, "", "CASH_RESERVE_RATE=nan does not fit; give a finite"),
        ({"EDGE_GUARD": "never"}, "", "EDGE_GUARD=never does not fit; give 'auto', 'observe' or"),
        ({"RISK__CAPS": "{"}, "", "RISK__CAPS={ is not JSON"),
        (
            {"MIN_STRATEGY_WEIGHT": "0.5"},
            "",
            "MIN_STRATEGY_WEIGHT=0.5 is above MAX_STRATEGY_WEIGHT",
        ),
        ({"TRIAL_TRADE_RISK": "0.02"}, "", "MAX_TRADE_RISK=0.01 is below TRIAL_TRADE_RISK=0.02"),
        ({"RISK_OF_BUDGET": "0.03"}, "", "RISK_OF_BUDGET=0.03 x MAX_STRATEGY_WEIGHT=0.4 = 0.012"),
        ({"DLQ_MAX_SIZE": "0", "DLQ_MAX_RETRIES": "0"}, "", "(and 1 more)"),
    ],
)
def test_what_cannot_be_loaded_is_one_clear_sentence(
    tmp_path: Path, process: dict[str, str], written: str, message: str
) -> None:
    """Each failure is a `SettingsError` of one line that names field, value and remedy."""
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, process=process, written=written)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_argument_is_refused(tmp_path: Path) -> None:
    """Arguments are held to the same names, in any case of letters."""
    found = _load(tmp_path, arguments={"risk__max_positions": "4"})
    assert found.settings.risk.max_positions == 4
    with pytest.raises(SettingsError, match="nearest is PAPER_SPEED"):
        _load(tmp_path, arguments={"PAPER_SPEDE": "4"})


def test_the_machines_own_variables_do_not_break_the_start(tmp_path: Path) -> None:
    """A section is never read whole, and foreign names in the process mean nothing."""
    process = {"VENUE": "/opt/venue", "RISK": "{", "USER": "x", "MAX_STRATEGY_WEIGT": "9"}
    found = _load(tmp_path, process=process)
    assert found.settings == App()
    assert found.changed() == []


def test_changed_settings_are_told_with_their_source(tmp_path: Path) -> None:
    """Only what differs from its default is told; a secret only as stars."""
    found = _load(
        tmp_path,
        arguments={"RANDOM_SEED": "7"},
        process={"BYBIT_API_KEY": "key", "LOG_LEVEL": "INFO"},
        written="STRATEGIES__HF_SCALPING__ENTRY_NOISE=2\n",
    )
    assert sorted(found.changed()) == [
        ("BYBIT_API_KEY", "***", "process"),
        ("RANDOM_SEED", "7", "argument"),
        ("STRATEGIES__HF_SCALPING__ENTRY_NOISE", "2.0", ".env"),
    ]


def test_the_example_file_is_the_defaults(tmp_path: Path) -> None:
    """Loading the example equals the defaults; each name stands under its sentence."""
    text = example_text(App)
    assert _load(tmp_path, written=text).settings == App()
    assert "# Slots of the account.\nRISK__MAX_POSITIONS=10\n" in text
    for name, _, sentence in settings_lines(App):
        assert f"# {sentence}\n{name}=" in text


def test_every_setting_has_a_sentence_and_flat_names_two_words() -> None:
    """What a person may set is explained, and cannot be a machine's own variable by accident."""
    for one in settings_of(HEANSettings):
        assert one.sentence.endswith("."), one.name
        assert "_" in one.name


def test_values_of_every_shape_are_read(tmp_path: Path) -> None:
    """Lists by comma or as JSON, mappings as JSON, booleans, decimals and paths are read."""
    found = _load(
        tmp_path,
        process={
            "AUTOPILOT_PROTECTIVE_SET": "alpha, beta",
            "RISK__STEPS": "[1, 2]",
            "RISK__CAPS": '{"carry": 0.4}',
            "RISK__KELLY_ENABLED": "true",
            "INITIAL_CAPITAL": "1000.50",
            "STATE_DIR": "/tmp/x",
        },
    ).settings
    assert found.autopilot_protective_set == ("alpha", "beta")
    assert (found.risk.steps, found.risk.caps) == ((1.0, 2.0), {"carry": 0.4})
    assert found.risk.kelly_enabled
    assert (found.initial_capital, found.state_dir) == (Decimal("1000.50"), Path("/tmp/x"))
    empty = _load(tmp_path, process={"AUTOPILOT_PROTECTIVE_SET": "[]"}).settings
    assert empty.autopilot_protective_set == ()


def test_the_hash_tells_what_decides_and_nothing_else() -> None:
    """Settings that decide change the hash; secrets, paths and log levels do not."""
    base = settings_sha256(App())
    assert base == settings_sha256(App())
    local = {"state_dir": "/x", "log_level": "DEBUG", "bybit_api_key": "k"}
    assert settings_sha256(App.model_validate(local)) == base
    assert settings_sha256(App.model_validate({"random_seed": 1})) != base
    assert settings_sha256(App.model_validate({"risk": {"max_positions": 9}})) != base


def test_settings_cannot_be_changed_and_sections_take_no_strangers() -> None:
    """Settings are frozen; a section refuses an unknown field, the flat settings ignore one."""
    found = App()
    with pytest.raises(ValidationError):
        found.random_seed = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Risk.model_validate({"max_position": 3})
    assert App.model_validate({"unknown": 3}) == found


def test_secrets_never_show(tmp_path: Path) -> None:
    """Neither the listing nor the text of the settings shows a key."""
    found = _load(tmp_path, process={"BYBIT_API_SECRET": "very-secret"}).settings
    assert "very-secret" not in repr(found)
    assert "very-secret" not in str(effective(found))
    assert found.bybit_api_secret is not None
    assert found.bybit_api_secret.get_secret_value() == "very-secret"


def test_the_guard_enforces_live_and_observes_elsewhere_unless_told() -> None:
    """Auto follows the mode; an explicit choice holds in every mode."""
    verdicts = [
        HEANSettings.model_validate({"edge_guard": guard}).enforces_edge(live=live)
        for guard in ("auto", "observe", "enforce")
        for live in (True, False)
    ]
    assert verdicts == [True, False, False, False, True, True]


def test_the_process_is_read_by_default() -> None:
    """Without an environment given, the process's own counts, and only there."""
    with clean_environment(RANDOM_SEED="5"):
        assert load(App).settings.random_seed == 5
        assert App().random_seed == 0
    with clean_environment():
        assert load(App).settings == App()


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    capital=st.decimals(0, 10**9, places=6),
    weight=st.floats(0.0, 0.4),
    caps=st.dictionaries(st.text("abc", min_size=1), st.floats(0, 1), max_size=3),
)
def test_effective_values_load_back(
    seed: int, capital: Decimal, weight: float, caps: dict[str, float]
) -> None:
    """What `effective` prints, given as the process's environment, makes equal settings."""
    found = App.model_validate(
        {
            "random_seed": seed,
            "initial_capital": capital,
            "min_strategy_weight": weight,
            "risk": {"caps": caps},
        }
    )
    assert load(App, environ=effective(found)).settings == found
