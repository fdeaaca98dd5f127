"""Encoding a settlement of 1,000 orders by hand beside web3's and eth_abi's generic encoders, in one run.

Usage: python -m tests.benchmarks.calldata
"""

import time
from collections.abc import Callable

from web3 import Web3

from contracts.artifacts import artifacts
from ledger.abi import interface
from ledger.batches import FilledOrder, settle_calldata
from ledger.eip712 import Domain, sign_order
from ledger.keys import Key
from matching.orders import Order, Side

ORDERS = 1_000
ROUNDS = 7
MARKET, SLOT, PRICE = b"m".ljust(32, b"\0"), 1_700_000_100, 150_000


def main() -> None:
    """Print the least time of each encoder, and its ratio to ours."""
    key, domain = Key(b"\1" * 32), Domain(31_337, b"\2" * 20)
    fills = []
    for salt in range(ORDERS):
        order = Order(key.address, MARKET, SLOT, Side.BID, PRICE, 500, salt=salt)
        fills.append(FilledOrder(sign_order(domain, order, key), 500))
    exchange = interface("exchange")
    selector = exchange.selector("settle")
    data = settle_calldata(selector, MARKET, SLOT, PRICE, fills)
    arguments = list(exchange.decode_call(data)[1].values())
    words = [tuple(fill.values()) for fill in arguments[3]]
    contract = Web3().eth.contract(abi=artifacts()["exchange"].abi)
    encoders: dict[str, Callable[[], object]] = {
        "ledger.batches": lambda: settle_calldata(selector, MARKET, SLOT, PRICE, fills),
        "eth_abi": lambda: exchange.call("settle", *arguments),
        "web3": lambda: contract.encode_abi("settle", [MARKET, SLOT, PRICE, words, False, []]),
    }
    assert bytes.fromhex(str(encoders["web3"]())[2:]) == data == encoders["eth_abi"]()
    least = dict.fromkeys(encoders, float("inf"))
    for _ in range(ROUNDS):
        for name, encode in encoders.items():
            began = time.perf_counter()
            encode()
            least[name] = min(least[name], time.perf_counter() - began)
    for name, seconds in least.items():
        print(f"{name:15} {seconds * 1e3:8.1f} ms  {seconds / least['ledger.batches']:6.1f} times")


if __name__ == "__main__":
    main()
