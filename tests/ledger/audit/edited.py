"""A chain whose history can be changed before it is audited: a bad endpoint, or contracts breaking their word.

Evidence that is audited with it can be changed as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ledger import abi
from ledger.abi import Contract
from ledger.audit.evidence_files import EvidenceFiles, PublicKeys
from ledger.audit.history import AUDITED
from ledger.chain import ZERO_ADDRESS, Address, Block, Hash, Log, Transaction
from ledger.evidence.evidence import Evidence
from tests.ledger.audit.origins import Town
from tests.world import World

Arguments = dict[str, Any]
Nth = int | Callable[[Arguments], bool]
"""Which event of a name: counted from 0, backwards if negative, or the first with such arguments."""
ALWAYS = 2**62


class Recording:
    """What a world's chain says, remembered, so that many audits of it cost little more than one."""

    def __init__(self, world: World, town: Town) -> None:
        self.world = world
        self.town = town
        self.chain = world.chain
        self.head = world.chain.head()
        contracts = {name: getattr(world.contracts, name) for name in (*AUDITED, "credit", "energy")}
        self.contracts: dict[str, Contract] = contracts
        self.names = {contract.address: name for name, contract in contracts.items()}
        self.logs = world.chain.logs(
            first_block=0, last_block=self.head.number, address=[contracts[name].address for name in AUDITED]
        )
        self.answers: dict[tuple[bytes, bytes, int | None], bytes] = {}
        self.blocks: dict[int, Block | None] = {}
        self.transactions: dict[bytes, Transaction | None] = {}
        self.codes: dict[tuple[bytes, int | None], bytes] = {}


class EditedChain:
    """A recording with changes. Events are found by name, and `nth`: which of them."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.world = recording.world
        self.town = recording.town
        self.evidence: list[Evidence] = list(recording.town.evidence)
        self.logs_now = list(recording.logs)
        self._transactions: dict[bytes, Transaction] = {}
        self._shifts: dict[int, int] = {}
        self._answers: dict[tuple[bytes, bytes], Callable[[Any, bytes], Any]] = {}
        self.code_of: dict[bytes, bytes] = {}

    # Changing it

    @property
    def evidence_files(self) -> EvidenceFiles:
        """The evidence as it is now, to be read once."""
        return EvidenceFiles(iter(self.evidence), PublicKeys((), self.town.authority_keys))

    def event(self, name: str, nth: Nth = 0, contract: str | None = None) -> tuple[int, str, Arguments]:
        """Place, contract and arguments of an event."""
        found = []
        for place, log in enumerate(self.logs_now):
            of = self._recording.names[log.address]
            event = self._recording.contracts[of].interface.decode_event(log)
            if event is not None and event.name == name and contract in (None, of):
                found.append((place, of, event.arguments))
        if callable(nth):
            return next(each for each in found if nth(each[2]))
        return found[nth]

    def events(self, name: str, contract: str | None = None) -> list[Arguments]:
        """The arguments of all events of a name: the one at place `n` is number `n`."""
        found = (
            (of, self._recording.contracts[of].interface.decode_event(log))
            for log in self.logs_now
            for of in (self._recording.names[log.address],)
        )
        return [
            event.arguments
            for of, event in found
            if event is not None and event.name == name and contract in (None, of)
        ]

    def number_in_call_of(self, wanted: str, name: str, nth: Nth) -> int:
        """The number of the first event called `wanted` in the transaction of another event."""
        transaction = self.logs_now[self.event(name, nth)[0]].transaction_hash
        return next(
            number
            for number in range(len(self.events(wanted)))
            if self.logs_now[self.event(wanted, number)[0]].transaction_hash == transaction
        )

    @property
    def fingerprint(self) -> bytes:
        """Differs from that of every history with other changes, but for what views answer."""
        changed = (self.logs_now, sorted(self._transactions.items()), sorted(self._shifts.items()), self.evidence)
        return sha256(repr((changed, sorted(self.code_of.items()), sorted(self._answers))).encode()).digest()

    def edit(self, name: str, nth: Nth = 0, contract: str | None = None, **changes: object) -> None:
        """Let an event say something else; a function gets what it said."""
        place, of, arguments = self.event(name, nth, contract)
        for field, value in changes.items():
            arguments[field] = value(arguments[field]) if callable(value) else value
        self.logs_now[place] = self._log(of, name, arguments, self.logs_now[place])

    def drop(self, name: str, nth: Nth = 0) -> None:
        """Let an event not have happened."""
        del self.logs_now[self.event(name, nth)[0]]

    def drop_all(self, name: str) -> None:
        """Nor any like it."""
        topic = self._recording.contracts[self.event(name)[1]].interface.topic(name)
        self.logs_now = [log for log in self.logs_now if log.topics[0] != topic]

    def repeat(self, name: str, nth: Nth = 0, *, after: tuple[str, Nth] | None = None, **changes: object) -> None:
        """Let an event happen again, at once or after another one, in the block of that."""
        place, of, arguments = self.event(name, nth)
        arguments |= {
            field: value(arguments[field]) if callable(value) else value for field, value in changes.items()
        }
        at = place if after is None else self.event(*after)[0]
        template = self.logs_now[at]
        copy = self._log(of, name, arguments, template)
        self.logs_now.insert(at + 1, replace(copy, transaction_hash=self.logs_now[place].transaction_hash))

    def insert(self, contract: str, name: str, after: tuple[str, Nth], **arguments: object) -> None:
        """Let an event happen that never did, in the transaction of another one."""
        place = self.event(*after)[0]
        self.logs_now.insert(place + 1, self._log(contract, name, dict(arguments), self.logs_now[place]))

    def shift(self, name: str, seconds: int, nth: Nth = 0) -> None:
        """Let the block of an event have another time."""
        self._shifts[self.logs_now[self.event(name, nth)[0]].block_number] = seconds

    def call_of(self, name: str, nth: Nth = 0, **changes: object) -> None:
        """Change an event's transaction: its `sender`, `to` or `input`."""
        wanted = self.logs_now[self.event(name, nth)[0]].transaction_hash
        found = self._transactions.get(wanted) or self._recording.chain.transaction(wanted)
        assert found is not None
        self._transactions[wanted] = replace(found, **changes)  # type: ignore[arg-type]

    def calldata(self, name: str, change: Callable[[Arguments], None], nth: Nth = 0) -> None:
        """Change the arguments of the call that caused an event."""
        wanted = self.logs_now[self.event(name, nth)[0]].transaction_hash
        found = self._transactions.get(wanted) or self._recording.chain.transaction(wanted)
        assert found is not None
        assert found.to is not None
        interface = self._recording.contracts[self._recording.names[found.to]].interface
        function, arguments = interface.decode_call(found.input)
        change(arguments)
        data = interface.call(function, *arguments.values())
        self._transactions[wanted] = replace(found, input=data)

    def answer(self, contract: str, view: str, change: Callable[[Any], Any]) -> None:
        """Let every call of a view be answered with something else."""
        of = self._recording.contracts[contract]

        def changed(found: Any, _: bytes) -> Any:
            return change(found)

        self._answers[of.address, of.interface.selector(view)] = changed

    def _log(self, contract: str, name: str, arguments: Arguments, like: Log) -> Log:
        interface = self._recording.contracts[contract].interface
        entry = next(e for e in interface.artifact.abi if e["type"] == "event" and e["name"] == name)
        indexed = [field for field in entry["inputs"] if field["indexed"]]
        plain = [field for field in entry["inputs"] if not field["indexed"]]
        topics = [abi._encode([field], [arguments[field["name"]]]) for field in indexed]
        return replace(
            like,
            address=self._recording.contracts[contract].address,
            topics=(interface.topic(name), *topics),
            data=abi._encode(plain, [arguments[field["name"]] for field in plain]),
        )

    # Being a chain

    @property
    def chain_id(self) -> int:
        return self._recording.chain.chain_id

    def head(self) -> Block:
        return self._recording.head

    def block(self, number: int) -> Block | None:
        blocks = self._recording.blocks
        if number not in blocks:
            blocks[number] = self._recording.chain.block(number)
        found = blocks[number]
        return found and replace(found, timestamp=found.timestamp + self._shifts.get(number, 0))

    def code(self, address: Address, *, block_number: int | None = None) -> bytes:
        key = (address, block_number)
        if key not in self._recording.codes:
            self._recording.codes[key] = self._recording.chain.code(address, block_number=block_number)
        return self.code_of.get(address, self._recording.codes[key])

    def transaction(self, transaction_hash: Hash) -> Transaction | None:
        known = self._recording.transactions
        if transaction_hash not in known:
            known[transaction_hash] = self._recording.chain.transaction(transaction_hash)
        return self._transactions.get(transaction_hash, known[transaction_hash])

    def logs(
        self,
        *,
        first_block: int,
        last_block: int,
        address: Address | Sequence[Address] | None = None,
        topics: Sequence[Hash | Sequence[Hash] | None] = (),
    ) -> list[Log]:
        addresses = [address] if isinstance(address, bytes) else address
        wanted = [[topic] if isinstance(topic, bytes) else topic for topic in topics]
        return [
            log
            for log in self.logs_now
            if first_block <= log.block_number <= last_block
            and (addresses is None or log.address in addresses)
            and all(allowed is None or log.topics[place] in allowed for place, allowed in enumerate(wanted))
        ]

    def call(
        self, to: Address, data: bytes, *, sender: Address = ZERO_ADDRESS, block_number: int | None = None
    ) -> bytes:
        key = (to, data, block_number)
        if key not in self._recording.answers:
            self._recording.answers[key] = self._recording.chain.call(to, data, block_number=block_number)
        answer = self._recording.answers[key]
        change = self._answers.get((to, data[:4]))
        if change is None:
            return answer
        interface = self._recording.contracts[self._recording.names[to]].interface
        function = next(
            e
            for e in interface.artifact.abi
            if e["type"] == "function" and interface.selector(e["name"]) == data[:4]
        )
        changed = change(interface.decode_result(function["name"], answer), data)
        values = [changed] if len(function["outputs"]) == 1 else list(changed)
        return abi._encode(function["outputs"], values)
