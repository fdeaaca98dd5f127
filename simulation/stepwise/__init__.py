"""Runs slot by slot of households that decide for themselves: each slot they quote, trade and act."""
