"""The risk package put together: every component once, in the order of their handlers."""

from __future__ import annotations

from dataclasses import dataclass

from hean.config import HEANSettings
from hean.core.bus import Bus, Component
from hean.core.inflight_tracker import InFlightTracker
from hean.core.market_view import MarketView
from hean.core.timers import Agenda
from hean.risk.anomaly import AnomalyGuard
from hean.risk.closer import Closer
from hean.risk.edge_guard import EdgeGuard
from hean.risk.entry_layers import EntryLayers
from hean.risk.exposure import Exposure
from hean.risk.gate import RiskGate
from hean.risk.governor import Governor
from hean.risk.hit_rates import HitRates
from hean.risk.kill_switch import KillSwitch
from hean.risk.loss_streak import LossStreaks
from hean.risk.position_sizer import PositionSizer
from hean.risk.preparation import Preparation
from hean.risk.risk_sentinel import RiskSentinel
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Sizer
from hean.risk.tail import TailHistory
from hean.risk.tails import BookTails


@dataclass(frozen=True, slots=True)
class Risk:
    """The components of hean-risk; `components` is their order on the bus."""

    exposure: Exposure
    governor: Governor
    kill_switch: KillSwitch
    anomaly: AnomalyGuard
    tail: TailHistory
    loss_streaks: LossStreaks
    hit_rates: HitRates
    edge_guard: EdgeGuard
    sentinel: RiskSentinel
    gate: RiskGate
    closer: Closer

    @property
    def components(self) -> tuple[Component, ...]:
        """Every component in the declared order of their handlers."""
        return (
            self.exposure,
            self.governor,
            self.kill_switch,
            self.anomaly,
            self.tail,
            self.loss_streaks,
            self.hit_rates,
            self.edge_guard,
            self.sentinel,
            self.gate,
            self.closer,
        )


def build_risk(  # size-ok: one constructor call a component
    *,
    settings: HEANSettings,
    section: RiskSettings,
    bus: Bus,
    agenda: Agenda,
    view: MarketView,
    tracker: InFlightTracker,
    sizer: Sizer | None = None,
) -> Risk:
    """Build every component; attaching them is the caller's. `sizer` replaces the shipped one."""
    exposure = Exposure(settings=settings, section=section, view=view)
    governor = Governor(section=section, bus=bus, agenda=agenda)
    kill_switch = KillSwitch(
        section=section,
        account=settings.live_confirm,
        bus=bus,
        agenda=agenda,
        exposure=exposure,
        governor=governor,
    )
    anomaly = AnomalyGuard(section=section, agenda=agenda, view=view)
    tail = TailHistory(view=view)
    streaks = LossStreaks(section=section, agenda=agenda)
    rates = HitRates(agenda=agenda)
    guard = EdgeGuard(settings=settings, bus=bus, agenda=agenda, view=view)
    sentinel = RiskSentinel(
        settings=settings,
        section=section,
        bus=bus,
        agenda=agenda,
        view=view,
        tracker=tracker,
        exposure=exposure,
        governor=governor,
        kill_switch=kill_switch,
        anomaly=anomaly,
        streaks=streaks,
        tails=BookTails(exposure=exposure, history=tail, view=view),
    )
    layers = EntryLayers(
        agenda=agenda,
        tracker=tracker,
        exposure=exposure,
        sentinel=sentinel,
        edge_guard=guard,
        hit_rates=rates,
        preparation=Preparation(settings=settings, section=section, view=view, exposure=exposure),
        sizer=sizer or PositionSizer(settings=settings, section=section),
    )
    gate = RiskGate(bus=bus, agenda=agenda, exposure=exposure, sentinel=sentinel, layers=layers)
    closer = Closer(
        bus=bus,
        agenda=agenda,
        view=view,
        exposure=exposure,
        sentinel=sentinel,
        kill_switch=kill_switch,
        gate=gate,
    )
    return Risk(
        exposure=exposure,
        governor=governor,
        kill_switch=kill_switch,
        anomaly=anomaly,
        tail=tail,
        loss_streaks=streaks,
        hit_rates=rates,
        edge_guard=guard,
        sentinel=sentinel,
        gate=gate,
        closer=closer,
    )
