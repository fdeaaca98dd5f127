"""How stores are named, and that what is secret about a name is never told."""

import pytest

from node.store import Store
from node.store.engines import shown_store
from node.store.errors import StoreUnavailableError, StoreUrlError
from tests.node.parts import DOMAIN, MARKET

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            f"postgresql+psycopg://anna:{SECRET}@db.example:6432/market",
            "postgresql+psycopg://db.example:6432/market",
        ),
        (f"postgresql://db.example/market?password={SECRET}", "postgresql://db.example/market"),
        (f"postgresql://anna:80/{SECRET}@db.example/market", "postgresql://db.example/market"),
        (f"postgresql://anna:1@{SECRET}@db.example/market", "postgresql://db.example/market"),
        (f"postgresql://anna:80?{SECRET}@db.example/market", "(unreadable)"),
        (f"postgresql://db.example:6432/market?password=1@{SECRET}", "(unreadable)"),
        (f"postgresql://anna:{SECRET}@[bad/market", "(unreadable)"),
        (f"anna:{SECRET}@db.example/market", "(without a scheme)"),
        (f"anna:{SECRET}@postgresql://db.example/market", "(without a scheme)"),
        (SECRET, "(without a scheme)"),
    ],
)
def test_a_stores_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_store(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://anna:{SECRET}@db.example/market",
        f"postgresql+asyncpg://anna:{SECRET}@db.example/market",
        f"nothing+known://anna:{SECRET}@db.example/market",
        f"postgresql://anna:{SECRET}@db.example:port/market",
        SECRET,
    ],
)
def test_what_is_no_store_is_refused_in_words(url: str) -> None:
    with pytest.raises(StoreUrlError, match=r"must be like postgresql\+psycopg://user@host") as refusal:
        Store(url, domain=DOMAIN, market=MARKET)
    assert SECRET not in str(refusal.value)


def test_a_database_that_is_not_there_is_refused_without_its_password() -> None:
    with pytest.raises(StoreUnavailableError, match="refused") as refusal:
        Store(f"postgresql+psycopg://anna:{SECRET}@127.0.0.1:1/market", domain=DOMAIN, market=MARKET)
    assert SECRET not in str(refusal.value)
