"""Devices and the strategies that trade for them."""
