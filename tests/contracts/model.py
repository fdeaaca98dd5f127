"""The exchange's money and positions in a few lines of plain Python, to hold the contract against."""

from dataclasses import dataclass, field


@dataclass
class Account:
    balance: int = 0
    debt: int = 0
    requested: int = 0
    positions: dict[int, int] = field(default_factory=dict)

    def pay(self, amount: int) -> int:
        """Pay as much of the debt and of `amount` as the balance covers, owe the rest."""
        due = self.debt + amount
        paid = min(due, self.balance)
        self.balance -= paid
        self.debt = due - paid
        return paid


@dataclass
class Ledger:
    """Accounts by number; the utility is the last."""

    accounts: list[Account]
    retail: int
    feed_in: int
    grid_fee: int

    @property
    def utility(self) -> Account:
        return self.accounts[-1]

    @property
    def escrow(self) -> int:
        return sum(account.balance for account in self.accounts)

    def trade(self, slot: int, buyer: int, seller: int, quantity_wh: int, price: int) -> None:
        for who, sign in ((buyer, 1), (seller, -1)):
            account = self.accounts[who]
            account.balance -= sign * quantity_wh * price
            account.positions[slot] = account.positions.get(slot, 0) + sign * quantity_wh

    def covers(self, metered: list[tuple[int, int]], slot: int) -> bool:
        """Whether the utility's escrow covers what a delivery leaves it to pay."""
        trial = Ledger(
            [Account(a.balance, a.debt, a.requested, dict(a.positions)) for a in self.accounts],
            self.retail,
            self.feed_in,
            self.grid_fee,
        )
        trial.deliver(slot, metered)
        return trial.utility.balance >= 0

    def deliver(self, slot: int, metered: list[tuple[int, int]]) -> None:
        for account, (consumption_wh, generation_wh) in zip(self.accounts, metered, strict=False):
            contracted = account.positions.get(slot, 0)
            account.positions[slot] = 0
            imbalance = consumption_wh - generation_wh - contracted
            earned = max(-imbalance, 0) * self.feed_in
            account.balance += earned
            fee = max(contracted, 0) * self.grid_fee
            self.utility.balance += account.pay(fee + max(imbalance, 0) * self.retail) - earned

    def withdraw(self, who: int) -> int:
        account = self.accounts[who]
        self.utility.balance += account.pay(0)
        amount = min(account.requested, account.balance)
        account.balance -= amount
        account.requested = 0
        return amount
