"""Guarantees of origin on chain: their names, the steps and calls that move them, and their history."""
