"""The names that a node knows people and parties by."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from node.parties import Parties
from node.store.records import MemberRecord


def names_of_parties(parties: Parties) -> dict[bytes, str]:
    """The parties by address, such as `meter authority`."""
    return {getattr(parties, party.name).address: party.name.replace("_", " ") for party in fields(parties)}


def with_members(parties: Mapping[bytes, str], members: Iterable[MemberRecord]) -> dict[bytes, str]:
    """The same, and the members by the names that the operator entered them with."""
    return {**parties, **{member.account: member.name for member in members}}
