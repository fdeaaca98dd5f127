"""Vyper sources, their compilation and ABI."""
