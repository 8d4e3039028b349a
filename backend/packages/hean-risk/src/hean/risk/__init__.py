"""Whether and how much: the gate, sizing, limits, the envelope and the kill switch."""

from hean.risk.anomaly import AnomalyGuard
from hean.risk.closer import Closer
from hean.risk.composition import Risk, build_risk
from hean.risk.decisions import GateStatistics
from hean.risk.edge_guard import EdgeGuard
from hean.risk.exposure import Exposure
from hean.risk.gate import RiskGate
from hean.risk.governor import Governor
from hean.risk.hit_rates import HitRates
from hean.risk.kill_switch import KillSwitch
from hean.risk.loss_streak import LossStreaks
from hean.risk.position_sizer import PositionSizer
from hean.risk.risk_sentinel import RiskSentinel
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Entry, Factors, GroupRules, Place, Room, Sizer, Sizing
from hean.risk.tail import TailHistory

__all__ = [
    "AnomalyGuard",
    "Closer",
    "EdgeGuard",
    "Entry",
    "Exposure",
    "Factors",
    "GateStatistics",
    "Governor",
    "GroupRules",
    "HitRates",
    "KillSwitch",
    "LossStreaks",
    "Place",
    "PositionSizer",
    "Risk",
    "RiskGate",
    "RiskSentinel",
    "RiskSettings",
    "Room",
    "Sizer",
    "Sizing",
    "TailHistory",
    "build_risk",
]
