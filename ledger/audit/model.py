"""The exchange in plain Python: what replaying a history leads to. Money in nano-credits, energy in Wh."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from ledger.allocation import Issuance, Move
from ledger.batches import FilledOrder, MemberReading
from ledger.market import Market
from ledger.onboarding import Device
from ledger.trades import Trade
from matching.orders import Side
from matching.tariff import Tariff


@dataclass
class AccountModel:
    """One account."""

    market: bytes
    balance_nano: int = 0
    debt_nano: int = 0
    epoch_starts: list[int] = field(default_factory=lambda: [0])
    withdrawal_nano: int = 0
    withdrawal_ready_at: int = 0

    @property
    def epoch(self) -> int:
        """The epoch of orders signed now."""
        return len(self.epoch_starts) - 1

    @property
    def epoch_from_slot(self) -> int:
        """The first slot of the epoch."""
        return self.epoch_starts[-1]

    def epoch_holds(self, slot: int, epoch: int) -> bool:
        """Whether orders of this epoch hold for the slot."""
        return epoch == bisect_right(self.epoch_starts, slot) - 1


@dataclass
class SlotModel:
    """Everything that happened to one slot of a market.

    `blocks` and `transactions` are by step name. `trades` follow from the fills where the market has one price;
    elsewhere they are not on chain, and empty.
    """

    market: bytes
    slot: int
    state: str = "open"
    book_root: bytes | None = None
    book_size: int = 0
    price: int = 0
    fills: list[FilledOrder] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    readings: list[MemberReading] = field(default_factory=list)
    issuances: list[Issuance] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    blocks: dict[str, int] = field(default_factory=dict)
    transactions: dict[str, bytes] = field(default_factory=dict)

    @property
    def bought_wh(self) -> int:
        """Energy traded in the community."""
        return sum(fill.fill_wh for fill in self.fills if fill.signed.order.side is Side.BID)


@dataclass
class CertificateModel:
    """One certificate id: who holds and who retired how much."""

    issued_wh: int = 0
    held_wh: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    retired_wh: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Model:
    """An exchange and its certificates."""

    markets: dict[bytes, Market] = field(default_factory=dict)
    market_numbers: dict[int, bytes] = field(default_factory=dict)
    tariffs: dict[bytes, list[tuple[int, Tariff]]] = field(default_factory=lambda: defaultdict(list))
    accounts: dict[bytes, AccountModel] = field(default_factory=dict)
    positions: dict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))
    slots: dict[tuple[bytes, int], SlotModel] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    certificates: dict[int, CertificateModel] = field(default_factory=lambda: defaultdict(CertificateModel))

    def slot(self, market: bytes, slot: int) -> SlotModel:
        """The slot's history, begun if there is none."""
        return self.slots.setdefault((market, slot), SlotModel(market, slot))

    def tariff_at(self, market: bytes, slot: int) -> Tariff:
        """The tariff in force in a slot."""
        return max((entry for entry in self.tariffs[market] if entry[0] <= slot), key=lambda entry: entry[0])[1]

    def members(self, market: bytes) -> list[bytes]:
        """Accounts of a market, the utility's left out, ascending."""
        utility = self.markets[market].utility
        return sorted(
            account for account, state in self.accounts.items() if state.market == market and account != utility
        )

    @property
    def credits_nano(self) -> int:
        """All credits in escrow."""
        return sum(state.balance_nano for state in self.accounts.values())
