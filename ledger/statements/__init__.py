"""Statements: what was retired, what a month's consumption was covered by; signed, and checked from the chain."""
