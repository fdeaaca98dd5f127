"""The process people run: API, store, slot clock, command line and Python client."""
