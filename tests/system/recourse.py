"""What members do by themselves on a street's chain, with the node or without it."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from ledger import recourse
from ledger.deployment import transact
from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.eip712 import sign_order
from ledger.keys import Key
from matching.orders import Order, Side
from node.cli.main import app
from node.composition import Node, running_server
from tests.system.demo import free_port
from tests.system.street import SLOT, Street
from tests.world import Time


def post(found: Street, member: int, side: Side, quantity_wh: int, price: int, *, salt: int = 0) -> bytes:
    """Put a member's order on chain; with salt 0 it is the one that `Street.place` places."""
    key, node = found.keys[member], found.node
    order = Order(
        account=key.address,
        market=node.market.id,
        slot=SLOT,
        side=side,
        price=price,
        quantity_wh=quantity_wh,
        salt=salt,
    )
    signed = sign_order(node.services.domain, order, key)
    recourse.post_order(node.contracts, key, signed)
    return signed.hash


def give_credits(node: Node, account: bytes, amount_nano: int) -> None:
    """Credits outside of escrow."""
    credit = node.contracts.credit
    transact(credit, node.config.parties.treasurer, credit.interface.call("mint", account, amount_nano))


def post_bond(node: Node, amount_nano: int) -> None:
    operator, credit, challenges = node.config.parties.operator, node.contracts.credit, node.contracts.challenges
    give_credits(node, operator.address, amount_nano)
    transact(credit, operator, credit.interface.call("approve", challenges.address, amount_nano))
    transact(challenges, operator, challenges.interface.call("post_bond", node.market.id, amount_nano))


@dataclass(frozen=True)
class CommandLine:
    """The `wattbook` command of one member, who has an RPC URL, the exchange's address and a file with its key."""

    rpc_url: str
    exchange: bytes
    key_file: Path

    def run(self, *arguments: str) -> Result:
        environment = {
            "WATTBOOK_RPC": self.rpc_url,
            "WATTBOOK_EXCHANGE": "0x" + self.exchange.hex(),
            "WATTBOOK_KEY_FILE": str(self.key_file),
            "WATTBOOK_KEY": None,
            "WATTBOOK_URL": None,
            "COLUMNS": "200",
        }
        return CliRunner().invoke(app, arguments, env=environment)

    def answer(self, *arguments: str) -> dict[str, Any]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer


def command_line(rpc_url: str, exchange: bytes, key: Key, folder: Path) -> CommandLine:
    path = folder / f"{key.address.hex()}.key"
    path.write_text(f"0x{key.secret.hex()}\n", encoding="utf-8")
    return CommandLine(rpc_url, exchange, path)


@contextmanager
def served_chain() -> Iterator[tuple[Time, str]]:
    """A chain that goes on when the node that trades on it is switched off: its clock, and its URL."""
    now, port = Time(SLOT - 1_200), free_port()
    with (
        closing(DevChain.open(None, clock=now)) as chain,
        running_server(create_app(chain), "127.0.0.1", port),
    ):
        yield now, f"http://127.0.0.1:{port}"
