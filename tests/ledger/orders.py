"""Orders for the ledger's tests: any that hypothesis can think of, and signed ones in one line."""

from hypothesis import strategies as st

from ledger.eip712 import Domain, SignedOrder, sign_order
from ledger.keys import Key
from matching.orders import (
    MAX_EPOCH,
    MAX_PRICE,
    MAX_QUANTITY_WH,
    MAX_SALT,
    MAX_TIME,
    CertificatePreference,
    Order,
    Side,
)

MARKET = b"fontana".ljust(32, b"\0")
SLOT = 1_700_000_100
DOMAIN = Domain(chain_id=31_337, exchange=b"\xee" * 20)

keys = st.integers(1, 2**128).map(lambda number: Key(number.to_bytes(32, "big")))
domains = st.builds(Domain, chain_id=st.integers(0, 2**63 - 1), exchange=st.binary(min_size=20, max_size=20))


def whole(highest: int, lowest: int = 0) -> st.SearchStrategy[int]:
    """Integers in a range, its ends more often than chance would have them."""
    return st.integers(lowest, highest) | st.sampled_from([lowest, highest])


def orders(account: st.SearchStrategy[bytes]) -> st.SearchStrategy[Order]:
    return st.builds(
        Order,
        account=account,
        market=st.binary(min_size=32, max_size=32),
        slot=whole(MAX_TIME),
        side=st.sampled_from(Side),
        price=whole(MAX_PRICE),
        quantity_wh=whole(MAX_QUANTITY_WH, 1),
        certificates=st.sampled_from(CertificatePreference),
        epoch=whole(MAX_EPOCH),
        expires_at=whole(MAX_TIME),
        salt=whole(MAX_SALT),
    )


any_order = orders(st.binary(min_size=20, max_size=20))


@st.composite
def signed_orders(draw: st.DrawFn, domain: Domain = DOMAIN) -> SignedOrder:
    key = draw(keys)
    return sign_order(domain, draw(orders(st.just(key.address))), key)


def key(number: int) -> Key:
    return Key(number.to_bytes(32, "big"))


def signed(
    member: int,
    side: Side,
    quantity_wh: int,
    *,
    salt: int = 0,
    price: int = 150_000,
    certificates: CertificatePreference = CertificatePreference.AUTO_RETIRE,
) -> SignedOrder:
    owner = key(member)
    order = Order(
        account=owner.address,
        market=MARKET,
        slot=SLOT,
        side=side,
        price=price,
        quantity_wh=quantity_wh,
        certificates=certificates,
        salt=salt,
    )
    return sign_order(DOMAIN, order, owner)
