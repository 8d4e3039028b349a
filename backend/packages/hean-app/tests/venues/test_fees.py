from decimal import Decimal

import msgspec

from hean.app.venues.fees import LiquidityFees
from hean.core.events import Side
from hean.core.testing import btc_perpetual, btc_spot

FEES = LiquidityFees()
PRICE, QUANTITY = Decimal(60_000), Decimal("0.01")


def test_perpetual_pays_its_liquidity_rate_in_usdt() -> None:
    """A perpetual's fee is notional times its rate, and the quantity is untouched."""
    instrument = btc_perpetual()
    taker = FEES.charge(instrument, Side.BUY, PRICE, QUANTITY, maker=False)
    maker = FEES.charge(instrument, Side.SELL, PRICE, QUANTITY, maker=True)
    assert (taker.fee, taker.base_fee, taker.quantity) == (Decimal("0.33"), 0, QUANTITY)
    assert maker.fee == Decimal("0.12")


def test_spot_purchase_pays_in_base_coin() -> None:
    """A spot purchase receives less coin than it executed; its fee in USDT is at the fill price."""
    charge = FEES.charge(btc_spot(), Side.BUY, PRICE, QUANTITY, maker=False)
    assert charge.base_fee == Decimal("0.00001")
    assert charge.quantity == QUANTITY - charge.base_fee
    assert charge.fee == charge.base_fee * PRICE


def test_spot_sale_pays_in_usdt() -> None:
    """A spot sale delivers what it executed and pays in USDT."""
    charge = FEES.charge(btc_spot(), Side.SELL, PRICE, QUANTITY, maker=False)
    assert (charge.fee, charge.base_fee, charge.quantity) == (Decimal("0.6"), 0, QUANTITY)


def test_spot_rebate_comes_in_the_other_coin() -> None:
    """A maker's rebate of a purchase comes in USDT, of a sale in base coin."""
    rebated = msgspec.structs.replace(btc_spot(), maker_fee=Decimal("-0.0001"))
    bought = FEES.charge(rebated, Side.BUY, PRICE, QUANTITY, maker=True)
    sold = FEES.charge(rebated, Side.SELL, PRICE, QUANTITY, maker=True)
    assert (bought.fee, bought.base_fee, bought.quantity) == (Decimal("-0.06"), 0, QUANTITY)
    assert sold.base_fee == Decimal("-0.000001")
    assert sold.quantity == QUANTITY - Decimal("0.000001")
