"""Settings: what several packages read, the base of each package's section, and how they load.

Arguments win over the process's environment, that over `.env`, that over defaults. `load` reads
only names it knows: a machine's own `VENUE=...` never reaches a section.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from hean.core.errors import SettingsError

Source = Literal["default", ".env", "process", "argument"]

SEPARATOR: Final = "__"
LARGEST_CAPITAL: Final = Decimal(1_000_000_000_000)
"""Beyond this USDT amounts would not fit the 28 digits of the books with eight decimals."""
_TOLERANCE: Final = 1e-12


class Local:
    """Marks a setting that decides nothing (a path, a port, a log level): left out of the hash."""


class Section(BaseModel):
    """The settings of one package, nested under its name: `RISK__MAX_POSITIONS`.

    Frozen; an unknown field is refused; a field may itself be a `Section`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )


class HEANSettings(BaseModel):
    """What several packages read, under flat names as documented: `INITIAL_CAPITAL`.

    Building one reads no environment (`load` does); extras are ignored, refusing is `load`'s work.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )

    initial_capital: Decimal = Decimal(300)
    """Capital in USDT the account starts with on paper and in replay; 0 to 1e12."""
    cash_reserve_rate: float = Field(default=0.20, ge=0.0, le=0.9)
    """Fraction of equity that no strategy ever gets."""
    strategy_capital_allocation: bool = True
    """Whether strategies get budgets of their own; false splits capital equally."""
    capital_allocation_method: Literal[
        "hybrid", "equal", "performance", "phase_matched", "risk_parity", "hrp"
    ] = "hybrid"
    """How budgets are computed: hybrid, equal, performance, phase_matched, risk_parity or hrp."""
    min_strategy_weight: float = Field(default=0.05, ge=0.0, le=1.0)
    """Smallest share of equity an active strategy gets."""
    max_strategy_weight: float = Field(default=0.40, ge=0.0, le=1.0)
    """Largest share of equity one strategy gets."""
    reallocation_cooldown_seconds: int = Field(default=3600, ge=60, le=604_800)
    """Kernel seconds between two reallocations of capital."""
    autopilot_protective_set: tuple[str, ...] = (
        "funding_harvester",
        "basis_arbitrage",
        "correlation_arb",
    )
    """Strategies that may stay active when risk closes the others, comma-separated."""
    risk_of_budget: float = Field(default=0.025, ge=0.001, le=0.05)
    """Fraction of its budget a strategy may lose at the stop of one trade."""
    trial_trade_risk: float = Field(default=0.005, ge=0.0005)
    """Fraction of equity a trade of a strategy on trial may lose; at most MAX_TRADE_RISK."""
    max_trade_risk: float = Field(default=0.01, ge=0.001, le=0.02)
    """Fraction of equity one trade may lose at its stop, ever."""
    budget_leverage: float = Field(default=3.0, ge=1.0, le=10.0)
    """Notional a strategy may hold per unit of its budget."""
    max_leverage: float = Field(default=3.0, ge=1.0, le=10.0)
    """Leverage set at the venue, and the most the account may use."""
    edge_guard: Literal["auto", "observe", "enforce"] = "auto"
    """Whether unproven strategies are refused: auto enforces live and observes otherwise."""
    edge_evidence: Annotated[Path | None, Local()] = None
    """Directory of an earlier run whose outcomes the edge guard counts, at today's fees."""
    inflight_ttl_seconds: float = Field(default=30.0, gt=0.0, le=3600.0)
    """Kernel seconds a reserved slot waits for the venue's acknowledgement."""
    inflight_sweep_seconds: float = Field(default=5.0, gt=0.0, le=600.0)
    """Kernel seconds between two sweeps of reserved slots."""
    dlq_max_size: int = Field(default=1000, ge=1, le=1_000_000)
    """Failed deliveries held in memory; beyond it the oldest waits in the journal."""
    dlq_max_retries: int = Field(default=3, ge=1, le=10)
    """Retries of a failed delivery, at 10, 20, 40 kernel seconds, before it is left to a person."""
    trading_mode: Literal["paper", "live"] = "paper"
    """Paper trades on the built-in venue; live on mainnet needs LIVE_CONFIRM too."""
    live_confirm: str = ""
    """The account's uid, typed by hand, arms live trading on mainnet."""
    state_dir: Annotated[Path | None, Local()] = None
    """Directory of the journal; empty means .hean/<mode>-<feed>."""
    random_seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of everything that draws: the built-in market, AutoPilot, latency on paper."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Local()] = "INFO"
    """Least level that is logged: DEBUG, INFO, WARNING or ERROR."""
    bybit_api_key: SecretStr | None = None
    """API key of the Bybit account, for live trading only."""
    bybit_api_secret: SecretStr | None = None
    """API secret of the Bybit account, for live trading only."""

    @field_validator("initial_capital")
    @classmethod
    def _hold_capital_in_bounds(cls, value: Decimal) -> Decimal:
        if value < 0:
            raise ValueError("negative capital; give 0 or more")
        if value > LARGEST_CAPITAL:
            raise ValueError(f"more than the books are made for; give at most {LARGEST_CAPITAL}")
        return value

    @field_validator("max_trade_risk")
    @classmethod
    def _hold_trial_below(cls, value: float, info: ValidationInfo) -> float:
        trial = info.data.get("trial_trade_risk")
        if trial is not None and trial > value:
            raise ValueError(f"below TRIAL_TRADE_RISK={trial:g}; lower that, or raise this")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> HEANSettings:
        low, high = self.min_strategy_weight, self.max_strategy_weight
        if low > high:
            raise ValueError(
                f"MIN_STRATEGY_WEIGHT={low:g} is above MAX_STRATEGY_WEIGHT={high:g}; lower it"
            )
        stake = self.risk_of_budget * high
        if stake > self.max_trade_risk + _TOLERANCE:
            raise ValueError(
                f"RISK_OF_BUDGET={self.risk_of_budget:g} x MAX_STRATEGY_WEIGHT={high:g} = "
                f"{stake:g} is above MAX_TRADE_RISK={self.max_trade_risk:g}; lower one of them"
            )
        return self

    def enforces_edge(self, *, live: bool) -> bool:
        """Return whether the edge guard refuses (else it only observes)."""
        return live if self.edge_guard == "auto" else self.edge_guard == "enforce"


SettingsT = TypeVar("SettingsT", bound=HEANSettings)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[SettingsT]):
    """Settings and, for each name, where its value came from."""

    settings: SettingsT
    sources: Mapping[str, Source]

    def changed(self) -> list[tuple[str, str, Source]]:
        """Return (name, value, source) of each setting that is not at its default."""
        standard = effective(type(self.settings)())
        return [
            (name, value, self.sources[name])
            for name, value in effective(self.settings).items()
            if value != standard[name] or (value == "***" and self.sources[name] != "default")
        ]


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the settings: its name outside, its path inside, and what is known of it."""

    name: str
    path: tuple[str, ...]
    field: FieldInfo

    @property
    def sentence(self) -> str:
        return " ".join((self.field.description or "").split())

    @property
    def is_secret(self) -> bool:
        return SecretStr in (self.field.annotation, *get_args(self.field.annotation))


def settings_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yield each leaf setting of a model in declared order, flat ones before sections."""
    fields = model.model_fields.items()
    for key, field in fields:
        if _section(field) is None:
            yield Setting(SEPARATOR.join((*path, key)).upper(), (*path, key), field)
    for key, field in fields:
        section = _section(field)
        if section is not None:
            yield from settings_of(section, (*path, key))


def load(
    settings_class: type[SettingsT],
    *,
    arguments: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = None,
) -> Loaded[SettingsT]:
    """Return the settings and their sources; an empty value means the default.

    `environ` None is the process's own, `env_file` None means none. Raises `SettingsError`, one
    sentence, for an unknown name (in the process: one that begins with a section) or a value
    that does not fit.
    """
    known = {one.name: one for one in settings_of(settings_class)}
    given = {name.upper(): value for name, value in (arguments or {}).items()}
    written = _read_env_file(env_file) if env_file is not None else {}
    process = os.environ if environ is None else environ
    prefixes = tuple(
        key.upper() + SEPARATOR
        for key, field in settings_class.model_fields.items()
        if _section(field) is not None
    )
    strange = [name for name in sorted(process) if name.startswith(prefixes)] if prefixes else []
    for name in (*given, *written, *strange):
        if name not in known:
            raise SettingsError(_unknown(name, known))
    layers: tuple[tuple[Source, Mapping[str, str]], ...] = (
        ("argument", given),
        ("process", process),
        (".env", written),
    )
    sources: dict[str, Source] = {}
    values: dict[str, Any] = {}
    for name, setting in known.items():
        sources[name] = "default"
        for source, layer in layers:
            text = layer.get(name, "")
            if text:
                sources[name] = source
                _place(values, setting.path, _parsed(setting, text))
                break
    try:
        return Loaded(settings_class(**values), sources)
    except ValidationError as error:
        raise SettingsError(_explain(error, known)) from None


def effective(settings: HEANSettings) -> dict[str, str]:
    """Return each setting's name and value as text; a secret that is set shows as `***`."""
    return {one.name: _text(_value(settings, one.path)) for one in settings_of(type(settings))}


def settings_lines(settings_class: type[HEANSettings]) -> list[tuple[str, str, str]]:
    """Return (name, default, sentence) of each setting, for the example file and the docs."""
    standard = settings_class()
    return [
        (one.name, _text(_value(standard, one.path)), one.sentence)
        for one in settings_of(settings_class)
    ]


def example_text(settings_class: type[HEANSettings]) -> str:
    """Return `.env.example`: each default under its sentence; loading it equals the defaults."""
    blocks = [
        f"# {sentence}\n{name}={_quoted(default)}\n"
        for name, default, sentence in settings_lines(settings_class)
    ]
    return "\n".join(blocks)


def settings_sha256(settings: HEANSettings) -> str:
    """Return a hash of what decides: the same in any process, without secrets and `Local` names."""
    deciding = {
        one.name: _text(_value(settings, one.path))
        for one in settings_of(type(settings))
        if not one.is_secret and not any(isinstance(mark, Local) for mark in one.field.metadata)
    }
    return sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def nearest(name: str, names: Mapping[str, object]) -> str:
    """Return the known name closest to a mistyped one, or an empty string."""
    found = get_close_matches(name.upper(), sorted(names), n=1, cutoff=0.0)
    return found[0] if found else ""


def _unknown(name: str, known: Mapping[str, Setting]) -> str:
    return f"unknown setting {name}; nearest is {nearest(name, known)}"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


class _NoSettings(BaseSettings):
    """Only lends its class to the reader of env files."""


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    source = DotEnvSettingsSource(_NoSettings, env_file=path, case_sensitive=True)
    return {name: value or "" for name, value in source.env_vars.items()}


def _origins(annotation: object) -> list[object]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _origins(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [found for one in get_args(annotation) for found in _origins(one)]
    return [origin or annotation]


def _parsed(setting: Setting, text: str) -> object:
    origins = _origins(setting.field.annotation)
    is_mapping, is_sequence = dict in origins, tuple in origins or list in origins
    if is_mapping or (is_sequence and text.lstrip().startswith("[")):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise SettingsError(f"{setting.name}={text} is not JSON ({error}); fix it") from None
    if is_sequence:
        return [part.strip() for part in text.split(",")]
    return text


def _place(values: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value


def _value(settings: BaseModel, path: tuple[str, ...]) -> object:
    found: object = settings
    for key in path:
        found = getattr(found, key)
    return found


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return "***"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case tuple() | list():
            items = tuple(cast("list[object]", value))
            if items and all(isinstance(one, str) and one and "," not in one for one in items):
                return ",".join(map(str, items))
            return json.dumps(items, default=_text)
        case dict():
            return json.dumps(value, sort_keys=True, default=_text)
        case float():
            return repr(value)
        case _:
            return str(value)


def _quoted(text: str) -> str:
    return f"'{text}'" if set(text) & set(' #"${') else text


def _explain(error: ValidationError, known: Mapping[str, Setting]) -> str:
    details = error.errors(include_url=False)
    sentence = _sentence(details[0], known)
    more = len(details) - 1
    return f"{sentence} (and {more} more)" if more else sentence


def _sentence(detail: ErrorDetails, known: Mapping[str, Setting]) -> str:
    name, setting = "", None
    for count in range(len(detail["loc"]), 0, -1):
        name = SEPARATOR.join(map(str, detail["loc"][:count])).upper()
        setting = known.get(name)
        if setting is not None:
            break
    message = detail["msg"].removeprefix("Value error, ")
    if setting is None:
        return f"{name}: {message}" if name else message
    value = "***" if setting.is_secret else _text(detail["input"])
    if detail["type"] == "value_error":
        return f"{name}={value} is {message}"
    bounds = _bounds(setting)
    if bounds and detail["type"].startswith(("greater", "less")):
        return f"{name}={value} is out of bounds; give {bounds}"
    wish = message.removeprefix("Input should be ")
    return f"{name}={value} does not fit; give {wish}"


def _bounds(setting: Setting) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(
        f"{words[key]} {getattr(mark, key)}"
        for mark in setting.field.metadata
        for key in words
        if getattr(mark, key, None) is not None
    )
