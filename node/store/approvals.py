"""Proposed settlements in the store, and the validators' approvals of them."""

from sqlalchemy import Connection, delete, insert, select

from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError

_PROPOSALS = schema.proposals.c
_APPROVALS = schema.approvals.c


class Approvals(Database):
    """The part of the store that keeps what validators are asked to sign, and what they signed."""

    def record_proposal(self, slot: int, price: int, digest: bytes) -> None:
        """Propose a settlement at this price, with this hash; approvals of another one of the slot are dropped."""
        with self._write() as connection:
            connection.execute(delete(schema.proposals).where(_PROPOSALS.slot == slot))
            connection.execute(
                delete(schema.approvals).where(_APPROVALS.slot == slot, _APPROVALS.digest != digest)
            )
            connection.execute(insert(schema.proposals).values(slot=slot, price=price, digest=digest))

    def proposal(self, slot: int) -> tuple[int, bytes] | None:
        """Price and hash of the slot's proposed settlement, or None if none is proposed."""
        with self._read() as connection:
            return _proposal(connection, slot)

    def add_approval(self, slot: int, digest: bytes, validator: bytes, signature: bytes) -> None:
        """Keep a validator's signature of the proposal's hash; the same one again changes nothing.

        Raises:
            StoreConflictError: another settlement is proposed by now, or none.
        """
        with self._write() as connection:
            found = _proposal(connection, slot)
            if found is None or found[1] != digest:
                raise StoreConflictError(f"another settlement of slot {slot} is proposed by now, or none")
            mine = (_APPROVALS.slot == slot, _APPROVALS.validator == validator)
            connection.execute(delete(schema.approvals).where(*mine))
            connection.execute(
                insert(schema.approvals).values(slot=slot, validator=validator, digest=digest, signature=signature)
            )

    def approvals(self, slot: int) -> dict[bytes, bytes]:
        """Signatures of the slot's proposal by validator, in ascending order; none while nothing is proposed."""
        query = (
            select(_APPROVALS.validator, _APPROVALS.signature)
            .join(schema.proposals, _PROPOSALS.slot == _APPROVALS.slot)
            .where(_APPROVALS.slot == slot, _APPROVALS.digest == _PROPOSALS.digest)
            .order_by(_APPROVALS.validator)
        )
        with self._read() as connection:
            return {row.validator: row.signature for row in connection.execute(query)}


def withdraw_proposal(connection: Connection, slot: int) -> None:
    """Nothing is proposed for the slot any more. Approvals stay, in case that clearing again comes to the same."""
    connection.execute(delete(schema.proposals).where(_PROPOSALS.slot == slot))


def _proposal(connection: Connection, slot: int) -> tuple[int, bytes] | None:
    row = connection.execute(select(schema.proposals).where(_PROPOSALS.slot == slot)).one_or_none()
    return None if row is None else (row.price, row.digest)
