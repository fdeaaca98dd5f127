"""Orders, books and auctions: pure functions over integers. No I/O, no clock, no chain."""
