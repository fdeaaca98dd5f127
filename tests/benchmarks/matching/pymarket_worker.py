"""Clear orders with one of pymarket's mechanisms and print the seconds as JSON; runs in pymarket's environment."""

import json
import sys
import time

import numpy as np
import pymarket

orders = np.load(sys.argv[1])
market = pymarket.Market()
for user, (side, price, quantity_wh) in enumerate(
    zip(orders["side"].tolist(), orders["price"].tolist(), orders["quantity_wh"].tolist(), strict=True)
):
    market.accept_bid(quantity_wh, price, user, side == 0, 0)
start = time.perf_counter()
transactions, _ = market.run(sys.argv[2])
seconds = time.perf_counter() - start
fills = transactions.get_df()
bids = np.flatnonzero(orders["side"] == 0)
traded_wh = float(fills[fills["bid"].isin(bids)]["quantity"].sum())
print(json.dumps({"seconds": seconds, "traded_wh": round(traded_wh)}))
