"""What each strategy is for, how it gets in and out, what to expect of it, and who wrote about it.

The words people read in `hean-app strategies` and in the documentation; thresholds are in the
settings and the table. A strategy from elsewhere sets `note` on its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hean.strategies.base import Strategy, StrategyNote

NOTES: Final[Mapping[str, StrategyNote]] = {
    "hf_scalping": StrategyNote(
        purpose="Forecasts the move of the next seconds from order flow and the book's lean, and "
        "rests at the touch where both point the same way.",
        orders="POST_ONLY at the touch for three seconds, withdrawn when the forecast flips; takes "
        "only where the forecast pays one and a half round trips.",
        exits="A maker target, a stop, a reversed forecast, or 60 to 90 s of time.",
        expected="None expected at entry-tier fees.",
        edge="Ten seconds move about 2.8 bp; a forecast with an information coefficient of 0.05 to "
        "0.1 earns 0.15 to 0.3 bp of it, against a cost of 4 to 11 bp. A maker rebate would change "
        "the sign of the fees, not the adverse fills.",
        literature=(
            "Cont, Kukanov, Stoikov 2014, The price impact of order book events",
            "Stoikov 2018, The micro-price",
            "Kolm, Turiel, Westray 2023, Deep order flow imbalance",
            "Albers, Cucuringu, Howison, Shestopaloff 2025, The market maker's dilemma",
        ),
    ),
    "inventory_neutral_mm": StrategyNote(
        purpose="Quotes both sides of a fair value that leans against its own inventory.",
        orders="Pairs of POST_ONLY quotes as one group; one side only where flow makes the other "
        "unsafe, none where it is strong.",
        exits="Its own quotes; taken at once on IMPULSE, vapor, ten minutes of age or a loss "
        "beyond three half-spreads a clip.",
        expected="Negative on BTC and ETH, perhaps positive on wide spreads.",
        edge="In a diffusion a quote fills when the middle has come to it: it earns about nothing "
        "and pays the fee. What can pay is bounce, at spreads of about twice fee and adverse "
        "selection. Each symbol has to show it: every quote is followed, resting or refused, and "
        "until 200 fills have left something of the half-spread after the fee and what mid took "
        "back in 10 and 60 s, its plan counts as one that does not pay; when they no longer do, it "
        "is one again.",
        literature=(
            "Avellaneda, Stoikov 2008, High-frequency trading in a limit order book",
            "Guéant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk",
            "DeLise 2024, The negative drift of a limit order fill",
        ),
    ),
    "rebate_farmer": StrategyNote(
        purpose="Rests deep on both sides, avoids fills, and lives on a maker rebate where the "
        "account has one.",
        orders="One POST_ONLY order a side, 50 to 150 bp away, renewed every five minutes and "
        "withdrawn before a cascade reaches it.",
        exits="A maker target at three quarters of the way back, a stop as far beyond, 15 min.",
        expected="Off: entry tiers have no rebate.",
        edge="Without a rebate the maker fee is a cost and nothing is quoted. With one, so few "
        "orders fill that it comes to less than a cent a day at small size; only the return after "
        "a wick can pay, and such fills come from liquidations.",
        literature=(
            "Nagel 2012, Evaporating liquidity",
            "DeLise 2024, The negative drift of a limit order fill",
        ),
    ),
    "impulse_engine": StrategyNote(
        purpose="Joins a fresh, broad burst that order flow backs, after twelve layers agree.",
        orders="LIMIT_IOC just beyond the touch; where only a maker's cost fits, POST_ONLY at a "
        "38 % retrace.",
        exits="Half at 1.5 times the risk with the stop at break-even, a trailing stop, flat after "
        "90 s without progress, 300 s at the latest.",
        expected="Doubtful.",
        edge="At a risk of 30 bp the round trip costs more than a third of it, so a target of "
        "three or four times the risk needs seven to nine points of hit rate above luck; whether "
        "bursts go on or turn is undecided in the literature.",
        literature=(
            "Wen et al. 2022, Intraday predictability in crypto: momentum, reversal, or both",
            "Shen, Urquhart, Wang 2022, Bitcoin intraday time series momentum",
        ),
    ),
    "liquidity_sweep": StrategyNote(
        purpose="Fades a sweep of a watched level once price has come back inside and flow has "
        "turned.",
        orders="LIMIT_IOC, or POST_ONLY at the retest of the level.",
        exits="A stop beyond the extreme, half at 1.5 times the risk, the rest at the hour's VWAP "
        "or three times the risk, 15 min.",
        expected="Doubtful; on price alone slightly negative.",
        edge="On a simulated walk price alone gives 3.3 signals a day and a gross of -1.4 ± 1.6 bp "
        "with a median stop of one round trip: hence the flow tests and the least stop. Stops "
        "beyond a level favour going on, so the return is the signal, not the poke.",
        literature=(
            "Osler 2003, Currency orders and exchange rate dynamics",
            "Osler 2005, Stop-loss orders and price cascades",
        ),
    ),
    "momentum_trader": StrategyNote(
        purpose="Follows a trend of hours to days, sized by its volatility.",
        orders="POST_ONLY at the touch for a minute, then LIMIT_IOC; on bars, which cannot show a "
        "rest of a minute, LIMIT_IOC at once.",
        exits="A stop and a trail of three average ranges, a faded trend, five days.",
        expected="The most plausible of the directional ones; uncertain.",
        edge="A cost of about 11 bp and funding stands against moves of 150 to 500 bp, so fees are "
        "not the obstacle; predictability is. A study of 3,100 coins finds the effect of a single "
        "coin gone since the futures of December 2017.",
        literature=(
            "Moskowitz, Ooi, Pedersen 2012, Time series momentum",
            "Liu, Tsyvinski 2021, Risks and returns of cryptocurrency",
        ),
    ),
    "enhanced_grid": StrategyNote(
        purpose="Rests rungs around a fixed anchor inside a range that has been measured.",
        orders="POST_ONLY, the nearest three rungs a side as one group; each fill gets a "
        "reduce-only target one step back.",
        exits="All rungs end when price leaves the ladder, the range is gone for a minute, "
        "reversion vanishes or the loss bound is met: ten seconds as a maker, then taken.",
        expected="None on a walk; needs a real range.",
        edge="A rung nets the step less two maker fees, 8 bp of 12; one full one-sided end costs "
        "180, so it takes more than 22 rungs for each such end. It is judged by the life of a "
        "ladder: the near-perfect hit rate of rungs is the classic illusion.",
        literature=(
            "Lo, MacKinlay 1988, Stock prices do not follow random walks",
            "Taranto, Khan 2020, Gambler's ruin and grid trading",
        ),
    ),
    "funding_harvester": StrategyNote(
        purpose="Collects funding, hedged with spot where that exists.",
        orders="POST_ONLY for two minutes, then taken before the stamp; the hedge is taken when "
        "the first leg fills. On bars both are taken at once.",
        exits="Hedged: a changed or vanished rate, a widened basis, a thin margin. Unhedged: "
        "within ten minutes of the stamp.",
        expected="Real when hedged, but thin.",
        edge="A hedged round trip costs 24 to 31 bp: at 1 bp a stamp that is eight to ten days, at "
        "10 bp two or three stamps. Unhedged it is a directional bet with a small gift.",
        literature=(
            "He, Manela, Ross, von Wachter 2022, Fundamentals of perpetual futures",
            "Koijen, Moskowitz, Pedersen, Vrugt 2018, Carry",
            "Schmeling, Schrimpf, Todorov 2023, Crypto carry",
        ),
    ),
    "basis_arbitrage": StrategyNote(
        purpose="Trades the perpetual against spot when their gap exceeds every cost.",
        orders="A group: maker on the thinner leg, the hedge taken on its fill; on bars both "
        "taken.",
        exits="The gap back near its mean or across zero, a stop when it widens, 24 h.",
        expected="Real above 24 to 31 bp; rare.",
        edge="On BTC and ETH such gaps come in stress, when execution is worst; alone it is almost "
        "idle. Without a spot leg it fades a price that may be leading, and is research.",
        literature=(
            "He, Manela, Ross, von Wachter 2022, Fundamentals of perpetual futures",
            "Shleifer, Vishny 1997, The limits of arbitrage",
        ),
    ),
    "correlation_arb": StrategyNote(
        purpose="Trades the return of a cointegrated pair to its mean.",
        orders="A group of two legs: maker on the wider spread, the other taken on its fill; on "
        "bars both are taken, and the cost of four taking legs decides who qualifies.",
        exits="Near the mean, a stop at four deviations, three half-lives.",
        expected="Conditional on cointegration; evidence is mixed.",
        edge="Simulated, a truly cointegrated pair with a half-life of 30 min nets about 14 bp a "
        "trade; one of two hours nets nothing, and merely correlated coins lose. Real BTC and ETH "
        "are probably nearest the last.",
        literature=(
            "Engle, Granger 1987, Co-integration and error correction",
            "Gatev, Goetzmann, Rouwenhorst 2006, Pairs trading",
            "Fil, Kristoufek 2020, Pairs trading in cryptocurrency markets",
        ),
    ),
    "sentiment_strategy": StrategyNote(
        purpose="Leans against extremes of sentiment, and reacts to news that several sources "
        "share.",
        orders="POST_ONLY for five minutes; on bars for two bars where that is longer, for a "
        "resting order fills there only if it lives through a whole bar.",
        exits="Slow: two daily deviations, sentiment back in the middle, 14 days. Fast: 1 % stop, "
        "2 % target, 6 h.",
        expected="Weak; not provable live in months.",
        edge="Half of the index is price itself, and its extremes come in long clusters, so there "
        "are few independent events. Its main use is the small tilt that MomentumTrader reads.",
        literature=("Tetlock 2007, Giving content to investor sentiment",),
    ),
}
"""Our own, by strategy."""


def note_of(kind: type[Strategy[Any, Any]]) -> StrategyNote:
    """Return a strategy's note: its class's own, ours, or what its docstring says."""
    own = kind.note or NOTES.get(kind.row.strategy)
    if own is not None:
        return own
    words = " ".join((kind.__doc__ or "").split())
    return StrategyNote(purpose=words or "It does not say.")
