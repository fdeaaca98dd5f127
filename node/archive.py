"""Archives: what only people and meters know of a market, apart from what the chain tells of it.

An archive is a folder: signed orders and readings, members' names, devices and their keys, as lines of JSON. With
it and the chain, `node.rebuild` makes a store anew. What settlement and certification came to, the chain tells.
It is made at once, and from a copy of the store: what a node writes meanwhile is in all of its files, or in none.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from ledger.audit.codec import decoded, encoded
from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.datadir import DataFolder, Deployment
from node.sealed_folders import FolderKind
from node.store import Store
from node.store.beginning import beginning
from node.store.copying import copy_database, copy_file
from node.store.engines import shown_store
from node.store.records import DeviceRecord, MemberRecord, OrderRecord, ReadingRecord

_MARKET = "market.json"
_PAGE = 1_000

T = TypeVar("T")


class ArchiveError(WattbookError):
    """An archive's folder is not empty, what is in it cannot be read, or there is no store to archive."""

    code = "archive.unusable"


class DamagedArchiveError(WattbookError):
    """An archive is not as it was when it was written."""

    code = "archive.damaged"


ARCHIVE = FolderKind("archive", "archive.json", ArchiveError, DamagedArchiveError)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry of an OCMF meter's journal: a message, or the slot that a substitute stood in for."""

    device: int
    number: int
    source: bytes | None
    covered_slot: int | None


@dataclass(frozen=True, slots=True)
class OpenCorrection:
    """A correction that certificates did not follow yet, and the revision that they withdraw if that was known."""

    device: int
    slot: int
    withdrawn_revision: int | None


@dataclass(frozen=True)
class Archive:
    """What is in an archive, that is whole; each kind is read line by line as it is asked for.

    Raises:
        ArchiveError: it is none, or a file or a line of it cannot be read.
        DamagedArchiveError: a file is missing, or another than it was.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Check every file before any is used: half an archive would make half a store."""
        ARCHIVE.check(self.folder)

    @property
    def deployment(self) -> Deployment:
        """Which market it is of."""
        path = self.folder / _MARKET
        try:
            return decoded(Deployment, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveError(f"{path} cannot be read: {error!r}") from error

    def members(self) -> Iterator[MemberRecord]:
        """Accounts and names."""
        return self._lines("members", MemberRecord)

    def devices(self) -> Iterator[DeviceRecord]:
        """Devices with their keys."""
        return self._lines("devices", DeviceRecord)

    def orders(self) -> Iterator[OrderRecord]:
        """Orders, by slot and in the order of their arrival; those that were only posted are on chain."""
        return self._lines("orders", OrderRecord)

    def readings(self) -> Iterator[ReadingRecord]:
        """Readings; of each device and slot in the order of their revisions."""
        return self._lines("readings", ReadingRecord)

    def journal(self) -> Iterator[JournalEntry]:
        """OCMF meters' journals, in order."""
        return self._lines("journal", JournalEntry)

    def open_corrections(self) -> Iterator[OpenCorrection]:
        """What certificates did not follow yet."""
        return self._lines("open-corrections", OpenCorrection)

    def _lines(self, name: str, kind: type[T]) -> Iterator[T]:
        path = self.folder / f"{name}.jsonl"
        try:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, start=1):
                    try:
                        yield decoded(kind, json.loads(line))
                    except (ValueError, KeyError, TypeError, AttributeError, WattbookError) as error:
                        raise ArchiveError(f"{path}, line {number}, cannot be read: {error!r}") from error
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error}") from error


def archive_node(data: Path, folder: Path, *, made_at: int, store_url: str | None = None) -> int:
    """Write the archive of a node's store, as it is at one moment, and return how many orders are in it.

    Neither the store nor the data folder is changed, and nodes may be running. The archive names members and
    devices: it is its owner's alone to read.

    Args:
        data: the data folder, which with a shared store may be missing.
        folder: a new or empty folder.
        made_at: Unix seconds.
        store_url: the PostgreSQL database that the store is in; None for the file in the data folder.

    Raises:
        ArchiveError: the folder is not empty, or there is no store of a market, or it is not the data folder's
            market.
        ForeignStoreError: the database holds no store of this version.
        StoreUnavailableError: it does not answer.
        StoreUrlError: the URL names no database that could be used.
    """
    with ARCHIVE.made_at_once(folder) as draft, TemporaryDirectory() as temporary:
        # To open a store is to write to it, and a store of an older version is changed into one of this.
        copy = Path(temporary) / "store.sqlite"
        known = DataFolder(data).deployment() if data.is_dir() else None
        deployment = _copied_file(data, known, copy) if store_url is None else _copied(store_url, known, copy)
        domain = Domain(deployment.chain_id, deployment.exchange)
        with closing(Store(f"sqlite:///{copy}", domain=domain, market=deployment.market)) as store:
            orders = _write_all(store, deployment, draft)
        ARCHIVE.seal(draft, made_at=made_at)
    return orders


def _copied_file(data: Path, known: Deployment | None, copy: Path) -> Deployment:
    if known is None:
        raise ArchiveError(f"{data} holds no market")
    source = DataFolder(data).store_file
    if not source.is_file():
        raise ArchiveError(
            f"{data} holds no store: {source.name} is missing; if it is in PostgreSQL, name it with --store"
        )
    try:
        copy_file(source, copy)
    except sqlite3.Error as error:
        raise ArchiveError(f"{source} cannot be copied: {error}") from error
    return known


def _copied(url: str, known: Deployment | None, copy: Path) -> Deployment:
    copy_database(url, copy)
    with beginning(f"sqlite:///{copy}") as shared:
        text = shared.whereabouts()
    if text is None:
        raise ArchiveError(f"{shown_store(url)} holds no market")
    deployment = Deployment.decoded(text, shown_store(url))
    if known not in (None, deployment):
        raise ArchiveError(f"the data folder is of another market than {shown_store(url)}: name the right one")
    return deployment


def _write_all(store: Store, deployment: Deployment, folder: Path) -> int:
    """Every kind of record in a file of its own; returns how many orders there are."""
    devices = store.devices()
    (folder / _MARKET).write_text(json.dumps(encoded(deployment), indent=2) + "\n", encoding="utf-8")
    _write(folder, "members", store.members())
    _write(folder, "devices", devices)
    _write(folder, "journal", (entry for device in devices for entry in _journal(store, device.device)))
    corrections = [record.evidence for record in store.open_corrections()]
    _write(
        folder,
        "open-corrections",
        (OpenCorrection(it.device, it.slot, store.correction_of(it.device, it.slot)) for it in corrections),
    )
    latest = (record.evidence for record in reversed(store.latest_readings()))
    _write(folder, "readings", (record for it in latest for record in store.revisions(it.device, it.slot)))
    return _write(folder, "orders", (each for each in _orders(store) if each.receipt_signature is not None))


def _write(folder: Path, name: str, records: Iterable[object]) -> int:
    count = 0
    with (folder / f"{name}.jsonl").open("x", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(encoded(record)) + "\n")
            count += 1
    return count


def _orders(store: Store) -> Iterator[OrderRecord]:
    after: tuple[int, int] | None = None
    while page := store.orders(after=after, limit=_PAGE):
        yield from page
        after = page[-1].signed.order.slot, page[-1].index


def _journal(store: Store, device: int) -> Iterator[JournalEntry]:
    for number, (source, covered_slot) in enumerate(store.ocmf_journal(device)):
        yield JournalEntry(device, number, source, covered_slot)
