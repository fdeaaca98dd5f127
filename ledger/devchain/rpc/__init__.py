"""The development chain over HTTP, for wallets and other clients that speak Ethereum's JSON-RPC."""

from ledger.devchain.rpc.app import create_app

__all__ = ["create_app"]
