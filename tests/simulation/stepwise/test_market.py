from matching.orders import Side
from simulation.stepwise.market import Quote, trade


def test_ramps_that_meet_trade_once_at_the_update_at_which_they_do() -> None:
    quotes = [Quote(0, Side.BID, 90_000, 220_000, 500), Quote(1, Side.OFFER, 220_000, 90_000, 300)]
    traded = trade(quotes, 14)
    assert traded.fills_wh.tolist() == [300, 300]
    assert traded.price == 155_000
    assert traded.amounts_nano.tolist() == [-300 * 155_000, 300 * 155_000]
    assert (traded.seller.tolist(), traded.buyer.tolist()) == ([1], [0])


def test_a_threshold_that_the_ramp_never_reaches_does_not_trade() -> None:
    quotes = [Quote(0, Side.BID, 90_000, 120_000, 500), Quote(1, Side.OFFER, 220_000, 130_000, 300)]
    assert trade(quotes, 14).price is None
    assert trade([], 14).fills_wh.tolist() == []


def test_what_has_traded_is_gone_at_the_next_update() -> None:
    quotes = [
        Quote(0, Side.BID, 200_000, 200_000, 100),
        Quote(1, Side.BID, 90_000, 220_000, 100),
        Quote(2, Side.OFFER, 100_000, 100_000, 150),
    ]
    traded = trade(quotes, 13)
    assert traded.fills_wh.tolist() == [100, 50, 150]
    assert int(traded.amounts_nano.sum()) == 0
