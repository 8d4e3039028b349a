"""Closes nobody signalled: unwinding of groups, the kill switch, the governor, the operator.

Each close goes through the gate's mint with its cause. What an exit at work covers is not closed
again, and an unknown outcome still covers, so nothing closes twice.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.decision import OrderRequest
from hean.core.events.risk import KillAction, KillSwitchTripped, RiskState, RiskStateChanged
from hean.core.events.strategy import Intent
from hean.core.events.system import OperatorCommand, TimerFired
from hean.core.events.venue import (
    FillKind,
    Liquidity,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from hean.core.ids import minted_order_id
from hean.core.instruments import ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.closing import MOST_SLICES, closable, exit_side, is_flat, plan_cross, plan_flat
from hean.risk.exposure import Exposure, Holding, Key
from hean.risk.gate import RiskGate
from hean.risk.group_watch import UNHEDGED_NS, Group, GroupWatch
from hean.risk.kill_switch import KillSwitch
from hean.risk.risk_sentinel import RiskSentinel

SECOND_NS: Final = 1_000_000_000
LONGEST_WAIT: Final = 60
CLOSE_COMMAND: Final = "close_position"
_FLATTEN: Final = "flatten"
_UNWIND: Final = "unwind:"


class _State(msgspec.Struct, frozen=True):
    attempts: int
    legs: list[OrderRequest]
    groups: bytes


class Closer:
    """Watches groups and states, and has the gate close what must be closed."""

    name = "risk_closer"

    def __init__(
        self,
        *,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        exposure: Exposure,
        sentinel: RiskSentinel,
        kill_switch: KillSwitch,
        gate: RiskGate,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._exposure = exposure
        self._sentinel = sentinel
        self._kill_switch = kill_switch
        self._gate = gate
        self._watch = GroupWatch()
        self._legs: list[OrderRequest] = []
        self._attempts = 0

    def attach(self, bus: Bus) -> None:
        """Subscribe to group orders, their reports, and who may order closes."""
        stage, owner = Stage.GATE, self.name
        bus.subscribe(OrderRequest, self._on_request, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(OrderRejected, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderCancelled, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderExpired, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(RiskStateChanged, self._on_state, stage=stage, owner=owner)
        bus.subscribe(KillSwitchTripped, self._on_tripped, stage=stage, owner=owner)
        bus.subscribe(OperatorCommand, self._on_command, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)

    def _on_request(self, event: OrderRequest) -> None:
        if event.intent is Intent.QUOTE or event.legs < 2 or event.cause:
            return
        mine = [one for one in self._legs if one.group == event.group]
        mine.append(event)
        if len(mine) < event.legs:
            self._legs.append(event)
            return
        self._watch.follow(mine)
        self._legs = [one for one in self._legs if one.group != event.group]

    def _on_filled(self, event: OrderFilled) -> None:
        if self._kill_switch.action is KillAction.FLATTEN and not self._agenda.is_armed(
            self.name, _FLATTEN
        ):
            self._agenda.arm(self.name, _FLATTEN, self._agenda.now)
        group = self._watch.on_filled(event)
        if group is not None:
            self._judge(group)

    def _on_ended(self, event: OrderRejected | OrderCancelled | OrderExpired) -> None:
        group = self._watch.on_ended(event)
        if group is not None:
            self._judge(group)

    def _judge(self, group: Group) -> None:
        """Start the two seconds of an unhedged leg, or end the watch."""
        timer = _UNWIND + group.group
        if group.attempts:
            return
        if not group.is_matched:
            if not group.is_unhedged:
                group.is_unhedged = True
                self._agenda.arm(self.name, timer, self._agenda.now + UNHEDGED_NS)
            return
        if group.is_unhedged:
            group.is_unhedged = False
            self._agenda.cancel(self.name, timer)
        is_dead = not group.has_fills and any(leg.is_done for leg in group.legs)
        if is_dead and not group.is_over:
            self._cancel_legs(group)
        if is_dead or group.is_over:
            self._watch.forget(group)

    def _cancel_legs(self, group: Group) -> None:
        orders = self._exposure.orders
        ids = [leg.client_order_id for leg in group.legs]
        self._gate.withdraw_orders([orders[one] for one in ids if one in orders], "unwinding")

    def _unwind(self, group: Group) -> None:
        """Cancel what works of a group and close what filled, until nothing of it is left."""
        self._cancel_legs(group)
        left = False
        for leg in group.legs:
            key = (group.strategy, leg.instrument)
            left = left or key in self._exposure.holdings
            origin = f"unwinding/{group.group}"
            self._close(key, cause="unwinding", origin=origin, attempt=group.attempts)
        group.attempts += 1
        if left:
            due = self._agenda.now + UNHEDGED_NS
            self._agenda.arm(self.name, _UNWIND + group.group, due)
        else:
            self._watch.forget(group)

    def _close(self, key: Key, *, cause: str, origin: str, attempt: int) -> None:
        rules = self._view.instruments.get(key[1])
        holding = self._exposure.holdings.get(key)
        if rules is None or holding is None:
            return
        quantity = min(closable(self._exposure, key, rules), rules.max_market_quantity)
        if quantity > ZERO:
            side = exit_side(holding.quantity)
            self._gate.mint_exit(key, side, quantity, cause=cause, origin=origin, attempt=attempt)

    def _on_state(self, event: RiskStateChanged) -> None:
        """Cancel resting entries that the new state does not allow."""
        if event.state not in (RiskState.QUARANTINE, RiskState.HARD_STOP):
            return
        is_hard = event.state is RiskState.HARD_STOP
        self._cancel_entries(event.state.value, keep_protective=not is_hard)

    def _cancel_entries(self, cause: str, *, keep_protective: bool) -> None:
        self._gate.withdraw_orders(
            [
                order
                for order in self._exposure.orders.values()
                if order.is_entry
                and not (keep_protective and self._sentinel.is_protective(order.strategy))
            ],
            cause,
        )

    def _on_tripped(self, event: KillSwitchTripped) -> None:
        self._cancel_entries("kill_switch", keep_protective=False)
        if event.action is KillAction.FLATTEN:
            self._attempts = 0
            self._flatten()

    def _flatten(self) -> None:
        """Close every net position; look again after 1, 2, 4, ... 60 s until all is flat.

        An order that still works, or whose end nobody knows, may yet fill: all is not flat then.
        """
        if self._kill_switch.action is not KillAction.FLATTEN:
            return
        if is_flat(self._exposure) and not self._exposure.orders:
            return
        trip, attempt = self._kill_switch.trip, self._attempts
        for one in plan_flat(self._exposure, self._view):
            self._gate.mint_exit(
                (one.strategy, one.instrument),
                one.side,
                one.quantity,
                cause="kill_switch",
                origin=trip,
                attempt=attempt * MOST_SLICES + one.slice,
            )
        for holding in plan_cross(self._exposure):
            self._cross(holding, trip, attempt)
        wait = min(LONGEST_WAIT, 1 << min(attempt, 6)) * SECOND_NS
        self._attempts = attempt + 1
        self._agenda.arm(self.name, _FLATTEN, self._agenda.now + wait)

    def _cross(self, holding: Holding, trip: str, attempt: int) -> None:
        """Book what opposes on a flat net at one mark: a fill without fee, summing to nothing."""
        mark = self._view.mark(holding.instrument)
        if mark is None:
            return
        now, quantity = self._agenda.now, abs(holding.quantity)
        order = minted_order_id(f"{trip}/cross", holding.instrument, holding.strategy, attempt)
        self._bus.publish(
            OrderFilled(
                ts_event=now,
                ts_init=now,
                correlation_id=trip,
                fill_id=f"{order}/1",
                client_order_id=order,
                strategy=holding.strategy,
                instrument=holding.instrument,
                side=exit_side(holding.quantity),
                price=decimal_of(mark.price),
                quantity=quantity,
                fee=ZERO,
                liquidity=Liquidity.TAKER,
                filled=quantity,
                remaining=ZERO,
                kind=FillKind.CROSS,
            )
        )

    def _on_command(self, event: OperatorCommand) -> None:
        if event.command != CLOSE_COMMAND:
            return
        given = dict(event.arguments)
        key = (given.get("strategy", ""), given.get("instrument", ""))
        origin = f"operator/{event.ts_init}"
        self._gate.withdraw_orders(
            [one for one in self._exposure.orders_of(key) if one.is_entry], "operator"
        )
        self._close(key, cause="operator", origin=origin, attempt=0)

    def _on_timer(self, event: TimerFired) -> None:
        if event.key == _FLATTEN:
            self._flatten()
            return
        group = self._watch.groups.get(event.key.removeprefix(_UNWIND))
        if group is not None and (group.attempts or not group.is_matched):
            self._unwind(group)

    def snapshot(self) -> bytes:
        """Return groups under way and the flattening's attempts."""
        return pack(self.name, 1, _State(self._attempts, self._legs, self._watch.snapshot()))

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken."""
        found = unpack(state, self.name, 1, _State)
        self._attempts = found.attempts
        self._legs = found.legs
        self._watch.restore(found.groups)
