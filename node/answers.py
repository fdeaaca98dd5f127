"""What the API answers, as values that the client returns. Money in nano-credits, energy in Wh, time in Unix s."""

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Self

from ledger.eip712 import Domain
from ledger.hexcodec import from_data
from matching.orders import CertificatePreference, Order, Side
from matching.tariff import Tariff
from node.states import OrderStatus, SlotState

Json = dict[str, Any]

_SUMS = ("_wh", "_nano")


@dataclass(frozen=True, slots=True)
class OnChain:
    """The transaction that settled something, and its block."""

    transaction: bytes
    block: int

    @classmethod
    def parse(cls, fields: Json | None) -> Self | None:
        """From JSON; None from null."""
        return None if fields is None else cls(from_data(fields["transaction"]), fields["block"])


@dataclass(frozen=True, slots=True)
class MarketAnswer:
    """A market: its terms, its clock and tariff now, and where and for whom signatures count."""

    id: bytes
    slot_length_s: int
    gate_lead_s: int
    settle_within_s: int
    open_slot: int
    tariff: Tariff
    now: int
    clock_mode: str
    domain: Domain
    operator: bytes
    utility: bytes
    is_frozen: bool

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            id=from_data(fields["id"]),
            slot_length_s=fields["slot_length_s"],
            gate_lead_s=fields["gate_lead_s"],
            settle_within_s=fields["settle_within_s"],
            open_slot=fields["open_slot"],
            tariff=Tariff(**fields["tariff"]),
            now=fields["clock"]["now"],
            clock_mode=fields["clock"]["mode"],
            domain=Domain(fields["chain_id"], from_data(fields["exchange"])),
            operator=from_data(fields["operator"]),
            utility=from_data(fields["utility"]),
            is_frozen=fields["is_frozen"],
        )


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """The operator's word that it took an order, as number `index` of its slot, with its 65-byte signature."""

    order_hash: bytes
    market: bytes
    slot: int
    index: int
    received_at: int
    signature: bytes

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            order_hash=from_data(fields["order"]),
            market=from_data(fields["market"]),
            slot=fields["slot"],
            index=fields["index"],
            received_at=fields["received_at"],
            signature=from_data(fields["signature"]),
        )


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """An order, its receipt and what has become of it; one that was only posted on chain has no receipt."""

    order: Order
    hash: bytes
    source: str
    receipt: SignedReceipt | None
    status: OrderStatus
    fill_wh: int
    reason: str | None
    settlement: OnChain | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            order=parsed_order(fields),
            hash=from_data(fields["hash"]),
            source=fields["source"],
            receipt=None if fields["receipt"] is None else SignedReceipt.parse(fields["receipt"]),
            status=OrderStatus(fields["status"]),
            fill_wh=fields["fill_wh"],
            reason=fields["reason"],
            settlement=OnChain.parse(fields["settlement"]),
        )


@dataclass(frozen=True, slots=True)
class PlacedAnswer:
    """What became of one order of a list: its receipt, or `code` and `detail` of why it was refused."""

    receipt: SignedReceipt | None
    code: str | None
    detail: str | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        problem = fields["problem"] or {}
        return cls(
            receipt=None if fields["receipt"] is None else SignedReceipt.parse(fields["receipt"]),
            code=problem.get("code"),
            detail=problem.get("detail"),
        )


@dataclass(frozen=True, slots=True)
class CancelledAnswer:
    """What became of one cancellation of a list: `code` and `detail` say why an order is not cancelled."""

    order_hash: bytes
    code: str | None
    detail: str | None

    @property
    def cancelled(self) -> bool:
        """Whether the order is cancelled."""
        return self.code is None

    @classmethod
    def parse(cls, order_hash: bytes, fields: Json) -> Self:
        """From JSON, of the order that was asked about."""
        problem = fields["problem"] or {}
        return cls(order_hash, problem.get("code"), problem.get("detail"))


def parsed_order(fields: Json) -> Order:
    """An order from the JSON that shows it."""
    return Order(
        account=from_data(fields["account"]),
        market=from_data(fields["market"]),
        slot=fields["slot"],
        side=Side[fields["side"].upper()],
        price=fields["price"],
        quantity_wh=fields["quantity_wh"],
        certificates=CertificatePreference[fields["certificates"].upper()],
        epoch=fields["epoch"],
        expires_at=fields["expires_at"],
        salt=int(fields["salt"]),
    )


@dataclass(frozen=True, slots=True)
class BalanceAnswer:
    """What an account has; `positions` are undelivered slots with Wh bought (+) or sold (-)."""

    account: bytes
    is_member: bool
    epoch: int
    balance_nano: int
    debt_nano: int
    withdrawal_nano: int
    reserved_nano: int
    free_nano: int
    positions: tuple[tuple[int, int], ...]
    held_wh: int
    retired_wh: int

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        money = fields["credits"]
        return cls(
            account=from_data(fields["account"]),
            is_member=fields["is_member"],
            epoch=fields["epoch"],
            balance_nano=int(money["balance"]),
            debt_nano=int(money["debt"]),
            withdrawal_nano=int(money["withdrawal"]),
            reserved_nano=int(money["reserved"]),
            free_nano=int(money["free"]),
            positions=tuple((position["slot"], position["position_wh"]) for position in fields["energy"]),
            held_wh=fields["certificates"]["held_wh"],
            retired_wh=fields["certificates"]["retired_wh"],
        )


@dataclass(frozen=True, slots=True)
class TradeAnswer:
    """A trade; `settlement` is None until its slot is settled."""

    slot: int
    number: int
    seller: bytes
    buyer: bytes
    quantity_wh: int
    price: int
    amount_nano: int
    settlement: OnChain | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            slot=fields["slot"],
            number=fields["number"],
            seller=from_data(fields["seller"]),
            buyer=from_data(fields["buyer"]),
            quantity_wh=fields["quantity_wh"],
            price=fields["price"],
            amount_nano=int(fields["amount"]),
            settlement=OnChain.parse(fields["settlement"]),
        )


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """A certificate at the chain's head; `id` is its token id, `holders` what each account holds."""

    id: str
    kind: str
    slot: int
    device: int
    revision: int
    owner: bytes
    state: str
    issued_wh: int
    retired_wh: int
    holders: tuple[tuple[bytes, int], ...]
    issuance: OnChain | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            id=fields["id"],
            kind=fields["kind"],
            slot=fields["slot"],
            device=int(fields["device"]),
            revision=fields["revision"],
            owner=from_data(fields["owner"]),
            state=fields["state"],
            issued_wh=fields["issued_wh"],
            retired_wh=fields["retired_wh"],
            holders=tuple((from_data(each["account"]), each["held_wh"]) for each in fields["holders"]),
            issuance=OnChain.parse(fields["issuance"]),
        )


@dataclass(frozen=True, slots=True)
class HoldingAnswer:
    """What an account holds of one certificate, and whether it may transfer or retire it now."""

    id: str
    kind: str
    slot: int
    device: int
    amount_wh: int
    state: str
    usable: bool

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(
            id=fields["id"],
            kind=fields["kind"],
            slot=fields["slot"],
            device=int(fields["device"]),
            amount_wh=fields["amount_wh"],
            state=fields["state"],
            usable=fields["usable"],
        )


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """A transaction that was handed in: pending, confirmed in a block, or failed for a reason."""

    hash: bytes
    state: str
    block: int | None
    reason: str | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        return cls(from_data(fields["hash"]), fields["state"], fields["block"], fields["reason"])


@dataclass(frozen=True, slots=True)
class SlotAnswer:
    """How far a slot is, and what came of it; `steps` names each transaction that is done."""

    slot: int
    state: SlotState
    price: int | None
    bought_wh: int | None
    book_root: bytes | None
    book_size: int | None
    steps: dict[str, OnChain]

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        steps = {name: OnChain.parse(step) for name, step in fields["steps"].items()}
        return cls(
            slot=fields["slot"],
            state=SlotState(fields["state"]),
            price=fields["price"],
            bought_wh=fields["bought_wh"],
            book_root=None if fields["book_root"] is None else from_data(fields["book_root"]),
            book_size=fields["book_size"],
            steps={name: step for name, step in steps.items() if step is not None},
        )


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What became of one reading of a list; `code` and `detail` say why it was refused, and are None if not."""

    device: int
    slot: int
    accepted: bool
    code: str | None
    detail: str | None

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        problem = fields["problem"] or {}
        return cls(
            device=int(fields["device"]),
            slot=fields["slot"],
            accepted=fields["accepted"],
            code=problem.get("code"),
            detail=problem.get("detail"),
        )


@dataclass(frozen=True, slots=True)
class BillAnswer:
    """What a month came to for a member, to the last nano-credit; see `ledger.bills.Charges` for the charges."""

    account: bytes
    month: str
    time_zone: str
    bought_wh: int
    sold_wh: int
    paid_nano: int
    received_nano: int
    grid_fee_nano: int
    from_utility_wh: int
    from_utility_nano: int
    to_utility_wh: int
    to_utility_nano: int
    consumption_wh: int
    generation_wh: int
    utility_alone_nano: int
    total_nano: int
    saving_nano: int
    open_slots: int
    is_final: bool

    @classmethod
    def parse(cls, fields: Json) -> Self:
        """From JSON."""
        names = {each.name for each in dataclass_fields(cls)}
        sums = {name: int(value) for name, value in fields.items() if name in names and name.endswith(_SUMS)}
        return cls(
            account=from_data(fields["account"]),
            month=fields["month"],
            time_zone=fields["time_zone"],
            open_slots=fields["open_slots"],
            is_final=fields["is_final"],
            **sums,
        )
