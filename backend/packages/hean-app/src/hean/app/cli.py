"""The command line: `hean-app`. Whatever takes time is imported by the command that needs it.

Exit codes: 0 ok, 2 usage or settings, 3 data, 4 a broken promise, 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hean.app.settings import AppSettings
    from hean.config import Loaded
    from hean.core.errors import HEANError

app = typer.Typer(
    name="hean-app",
    help="Many strategies, one small account: paper by default, offline, until Ctrl-C.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Look at datasets, fit feature tables to them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Show settings.", rich_markup_mode=None)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")
strategies_app = typer.Typer(
    help="List strategies, evaluate them, begin a new one.", rich_markup_mode=None
)
app.add_typer(strategies_app, name="strategies")

_INTERRUPTED = 130
_WALKED_CAPITAL = "1000000"
"""Capital of a walk-forward: enough that no size is refused."""
_WALKED = ("PORTFOLIO__AUTOPILOT_ENABLED=false", "EDGE_GUARD=observe", "EDGE_EVIDENCE=")
"""A walk judges a strategy by its trades, whatever is proven of it so far."""

_SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated."),
]
_StrategiesOption = Annotated[
    str | None, typer.Option("--strategies", metavar="A,B", help="Run only these strategies.")
]
_CapitalOption = Annotated[
    str | None, typer.Option("--capital", metavar="USDT", help="Starting capital.")
]
_SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of everything that draws.")]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def load_settings(
    overrides: list[str] | None = None,
    *,
    capital: str | None = None,
    seed: int | None = None,
    strategies: str | None = None,
    state_dir: Path | None = None,
) -> Loaded[AppSettings]:
    """Return the settings from arguments, process and `.env`; arguments win. Log as they say."""
    from hean.app.log import configure_logging
    from hean.app.settings import AppSettings
    from hean.config import load
    from hean.core.errors import SettingsError

    arguments: dict[str, str] = {}
    for text in overrides or []:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise SettingsError(
                f"--set {text!r} is not KEY=VALUE; write --set RISK__MAX_POSITIONS=5"
            )
        arguments[name.strip().upper()] = value.strip()
    if capital is not None:
        arguments["INITIAL_CAPITAL"] = capital
    if seed is not None:
        arguments["RANDOM_SEED"] = str(seed)
    if state_dir is not None:
        arguments["STATE_DIR"] = str(state_dir)
    if strategies is not None:
        arguments.update(_only(strategies))
    loaded = load(AppSettings, arguments=arguments, env_file=_env_file())
    configure_logging(loaded.settings.log_level)
    return loaded


def _env_file() -> Path | None:
    """Return `.env` if there is one, after making sure that no line of it will be passed over."""
    from hean.core.errors import SettingsError

    path = Path(".env")
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read ({error}); write it as UTF-8 text") from None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#") and "=" not in text:
            raise SettingsError(f".env line {number} is {text!r}, which is not NAME=VALUE; fix it")
    return path


def _only(names: str) -> dict[str, str]:
    """Return the settings that enable just the named strategies."""
    from hean.app.strategy_selection import enabling

    return enabling(tuple(name.strip() for name in names.split(",") if name.strip()))


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Run on paper when no command is given."""
    import signal

    from hean.app.log import configure_logging

    # What stops a service is Ctrl-C too: a command that leaves half a result takes it back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure_logging()
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    duration: Annotated[
        str | None, typer.Option(help="Stop after this much kernel time: 90s, 15m, 2h, 1d.")
    ] = None,
    speed: Annotated[str, typer.Option(help="Kernel seconds per second, or max.")] = "1",
    seed: _SeedOption = None,
    feed: Annotated[str, typer.Option(help="Where market data comes from: sim.")] = "sim",
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    capital: _CapitalOption = None,
    strategies: _StrategiesOption = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the run keeps its state.")] = None,
    overrides: _SetOption = None,
) -> None:
    """Trade on paper until Ctrl-C; started again, it goes on.

    A second start takes up the state directory where the first stopped it.
    """
    from hean.app.view import announce

    _leave_on_signals()
    announce(feed=feed, plain=plain)
    from hean.app.runner import run_paper
    from hean.app.timespan import parse_duration, parse_speed

    loaded = load_settings(
        overrides, capital=capital, seed=seed, strategies=strategies, state_dir=state_dir
    )
    run_paper(
        loaded,
        feed_name=feed,
        duration_ns=None if duration is None else parse_duration(duration),
        speed=parse_speed(speed),
        plain=plain,
    )


def _leave_on_signals() -> None:
    """End at once, with 0, on a signal that comes before the kernel loop listens for it."""
    import signal

    def leave(number: int, _: object) -> None:
        sys.stderr.write(f"{signal.Signals(number).name} received before the run began\n")
        raise SystemExit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


@app.command()
def backtest(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.toml", help="The dataset to replay.")],
    out: Annotated[Path | None, typer.Option(help="Leave the run directory here.")] = None,
    capital: _CapitalOption = None,
    strategies: _StrategiesOption = None,
    start: Annotated[str | None, typer.Option(help="Begin at this UTC time.")] = None,
    end: Annotated[str | None, typer.Option(help="End before this UTC time.")] = None,
    seed: _SeedOption = None,
    overrides: _SetOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Replay a dataset on the paper venue and say what came of it."""
    from hean.app.backtest import run_backtest

    loaded = load_settings(overrides, capital=capital, seed=seed, strategies=strategies)
    run_backtest(loaded, dataset, out=out, start=start, end=end, as_json=as_json)


@app.command()
def replay(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A finished run.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every decision; exit 4 if any differs.")
    ] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="The dataset's TOML, if it has moved.")
    ] = None,
) -> None:
    """Take a run's inputs again and make its decisions anew."""
    from hean.app.replay.session import replay_run

    differences = replay_run(run_dir, dataset=dataset)
    if verify and differences:
        raise typer.Exit(4)


@app.command()
def why(
    strategy: Annotated[str | None, typer.Argument(help="The strategy to ask about.")] = None,
    run_dir: Annotated[Path | None, typer.Argument(metavar="RUN_DIR")] = None,
    allocation: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Explain this run's budgets instead.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="The budgets in force at this UTC time; default: the end.")
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Say why a strategy traded or did not, or explain its budget.

    Shows its funnel, the nearest misses and the setting that would change them.
    """
    if allocation is not None:
        from hean.app.reports.allocation import print_allocation

        print_allocation(allocation, strategy=strategy, at=at, as_json=as_json)
        return
    if strategy is None or run_dir is None:
        raise typer.BadParameter("give a STRATEGY and a RUN_DIR, or --allocation RUN_DIR")
    from hean.app.reports.why import explain

    explain(strategy, run_dir, as_json=as_json)


@app.command()
def capital(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A finished run.")],
    as_json: _JsonOption = False,
) -> None:
    """Say who got the capital of a run and why, and what the refusals saved or cost."""
    from hean.app.reports.capital_view import print_capital

    print_capital(run_dir, as_json=as_json)


@app.command()
def plan(
    capital: _CapitalOption = None,
    instruments: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An instruments JSON or a dataset TOML; default: sim."),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="COIN=USDT", help="A coin's price; may be repeated."),
    ] = None,
    drawdown: Annotated[str, typer.Option(help="Plan at this drawdown, a fraction.")] = "0",
    run_dir: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN_DIR", help="Use the size factors this run measured."),
    ] = None,
    strategies: _StrategiesOption = None,
    overrides: _SetOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Say what an account of this size can trade, what each line needs, and how to split it."""
    from hean.app.plan_view import print_plan
    from hean.app.planning import (
        make_plan,
        market_of,
        parse_factors,
        parse_share,
        simulated_market,
    )
    from hean.app.reports.run_facts import read_size_factors

    loaded = load_settings(overrides, capital=capital, strategies=strategies).settings
    market = (
        simulated_market(loaded, price or ())
        if instruments is None
        else market_of(instruments, price or ())
    )
    factors = {} if run_dir is None else parse_factors(read_size_factors(run_dir))
    found = make_plan(loaded, market, drawdown=parse_share(drawdown), factors=factors)
    print_plan(found, as_json=as_json)


@data_app.command()
def inspect(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.toml")],
    as_json: _JsonOption = False,
) -> None:
    """Say what a dataset carries, its ranges and gaps, and which strategies can run on it."""
    from hean.app.inspection import print_inspection

    print_inspection(load_settings().settings, dataset, as_json=as_json)


@data_app.command()
def fit(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A dataset TOML, or the directory of a run.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write the tables here (JSON).")],
    start: Annotated[str | None, typer.Option(help="Begin at this UTC time.")] = None,
    end: Annotated[str | None, typer.Option(help="End before this UTC time.")] = None,
    as_json: _JsonOption = False,
) -> None:
    """Fit micro-price tables and level weights to a dataset, or to what a run counted.

    A run uses them when FEATURE_TABLES names the file; run this again as often as they should
    follow the market.
    """
    from hean.app.fitting import print_fit

    print_fit(source, out, start=start, end=end, as_json=as_json)


@strategies_app.callback(invoke_without_command=True)
def strategies(
    context: typer.Context,
    dataset: Annotated[
        Path | None, typer.Option(metavar="DATASET.toml", help="Judge their needs on this.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option("--run", metavar="RUN_DIR", help="Their state in this run.")
    ] = None,
    overrides: _SetOption = None,
    as_json: _JsonOption = False,
) -> None:
    """List every installed strategy: its needs, what to expect of it, and its state."""
    if context.invoked_subcommand is None:
        from hean.app.strategies_cli import print_strategies

        loaded = load_settings(overrides)
        print_strategies(loaded.settings, dataset=dataset, run_dir=run_dir, as_json=as_json)


@strategies_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as night_drift.")],
    directory: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
) -> None:
    """Write a package with a working strategy and its test, to begin with."""
    from hean.app.strategies_cli import print_new

    print_new(name, directory)


@strategies_app.command()
def evaluate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.toml", help="What to run on.")],
    out: Annotated[Path | None, typer.Option(help="Leave the run directory here.")] = None,
    capital: _CapitalOption = None,
    start: Annotated[str | None, typer.Option(help="Begin at this UTC time.")] = None,
    end: Annotated[str | None, typer.Option(help="End before this UTC time.")] = None,
    walk_forward: Annotated[
        str | None,
        typer.Option(metavar="STRATEGY", help="Walk this one forward instead, alone."),
    ] = None,
    tries: Annotated[
        list[str] | None,
        typer.Option("--try", metavar="KEY=VALUE", help="Another set to choose from; repeatable."),
    ] = None,
    train_days: Annotated[float, typer.Option(min=1.0, help="Days to choose on.")] = 90.0,
    test_days: Annotated[float, typer.Option(min=1.0, help="Days to judge on.")] = 30.0,
    overrides: _SetOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Run a dataset once and say what each strategy earned a trade, with the doubt about it.

    With --walk-forward parameters are chosen on a window and judged on the next; the run it leaves
    behind is the evidence a strategy needs that asks for one.
    """
    if walk_forward is not None:
        from hean.app.strategies_cli import print_walk_forward

        sets = [*(overrides or []), f"INITIAL_CAPITAL={capital or _WALKED_CAPITAL}"]
        sets += _WALKED
        found = {
            one or "as set": load_settings([*sets, one] if one else sets, strategies=walk_forward)
            for one in ("", *(tries or []))
        }
        print_walk_forward(
            found,
            dataset,
            walk_forward,
            out=out,
            span=(start, end),
            days=(train_days, test_days),
            as_json=as_json,
        )
        return
    from hean.app.strategies_cli import print_evaluation

    loaded = load_settings(overrides, capital=capital)
    print_evaluation(loaded, dataset, out=out, start=start, end=end, as_json=as_json)


@config_app.callback(invoke_without_command=True)
def config(
    context: typer.Context, overrides: _SetOption = None, as_json: _JsonOption = False
) -> None:
    """Print every effective setting and where it came from."""
    if context.invoked_subcommand is None:
        from hean.app.settings_view import print_settings

        print_settings(load_settings(overrides), as_json=as_json)


@config_app.command()
def example() -> None:
    """Write `.env.example`: every setting, its default and what it means."""
    from hean.app.settings import AppSettings
    from hean.config import example_text

    sys.stdout.write(example_text(AppSettings))


def main() -> None:
    """Run the command line; an expected failure is one sentence and its exit code.

    Options without a command are those of `run`. An interrupted command ends with 130.
    """
    try:
        _run_command(_arguments(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        _tell_interrupted()
        sys.exit(_INTERRUPTED)
    except SystemExit as ending:
        if ending.code == _INTERRUPTED:
            _tell_interrupted()
        raise


def _run_command(arguments: list[str]) -> None:
    try:
        app(args=arguments)
    except SystemExit:
        raise
    except _expected() as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


def _expected() -> type[HEANError]:
    """Return what an expected failure is; asked for, and imported, only when something failed."""
    from hean.core.errors import HEANError

    return HEANError


def _tell_interrupted() -> None:
    sys.stderr.write("error: interrupted before the end; run the same command again\n")


def _arguments(given: list[str]) -> list[str]:
    if given and given[0].startswith("-") and given[0] != "--help":
        return ["run", *given]
    return given


if __name__ == "__main__":
    main()
