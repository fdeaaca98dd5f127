"""`wattbook serve` in a process of its own on a chain elsewhere, and what people do with it over HTTP."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ledger.devchain import dev_accounts
from ledger.keys import Key
from matching.orders import Order, Side
from matching.readings import Reading, SignedReading
from node.client import WattbookClient
from node.parties import FIRST_MEMBER_ACCOUNT
from tests.system.demo import WATTBOOK, free_port
from tests.system.street import SLOT, meter_key

OPENS_AT = SLOT - 1_200
SELLER, CONSUMER = (Key(account.private_key) for account in dev_accounts()[FIRST_MEMBER_ACCOUNT:][:2])


@dataclass(frozen=True)
class Served:
    """`wattbook serve` in a process of its own, and what its operator and members do over HTTP."""

    url: str
    api_key: str

    def enter(self, resource: str, **fields: object) -> None:
        headers = {"X-API-Key": self.api_key}
        httpx.post(f"{self.url}/v1/{resource}", json=fields, headers=headers, timeout=60).raise_for_status()

    def advance(self, now: int) -> None:
        WattbookClient(self.url).advance_clock(now, api_key=self.api_key)

    def onboard(self) -> None:
        for number, (key, technology) in enumerate([(SELLER, "solar"), (CONSUMER, "load")], start=1):
            account = f"0x{key.address.hex()}"
            meter = f"0x{meter_key(number).public_key().public_bytes_raw().hex()}"
            self.enter("members", account=account, name=technology)
            self.enter("deposits", account=account, amount=str(10**10), reference=technology)
            is_solar = technology == "solar"
            self.enter(
                "devices",
                device=number,
                account=account,
                kind="generator" if is_solar else "load",
                technology="T010100" if is_solar else None,
                fuel="F01040100" if is_solar else None,
                nameplate_w=20_000 if is_solar else 0,
                metering_point=f"point {number}",
                key={"public_key": meter},
            )

    def place(self, key: Key, side: Side, quantity_wh: int, price: int) -> None:
        client = WattbookClient(self.url, key)
        market = client.market().id
        client.place(
            Order(account=key.address, market=market, slot=SLOT, side=side, price=price, quantity_wh=quantity_wh)
        )

    def meter(self, device: int, energy_wh: int) -> None:
        client = WattbookClient(self.url)
        market = client.market()
        reading = Reading(
            chain_id=market.domain.chain_id,
            market=market.id,
            device=device,
            slot=SLOT,
            energy_wh=energy_wh,
            register_wh=energy_wh,
            sequence=1,
        )
        client.submit(SignedReading(reading, meter_key(device).sign(reading.signing_bytes())))


@contextmanager
def served(data: Path, rpc_url: str) -> Iterator[Served]:
    """A node whose clock is moved by hand; killed in the end."""
    port = free_port()
    options = {"--data": data, "--port": port, "--rpc": rpc_url, "--stepped-from": OPENS_AT}
    command = [WATTBOOK, "serve", *(str(part) for option in options.items() for part in option)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until_ready(url, process)
            yield Served(url, (data / "operator-api-key").read_text(encoding="utf-8"))
        finally:
            process.kill()


def wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up_at
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
