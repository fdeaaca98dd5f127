"""The things in a home that consume or generate energy, each with a meter of its own."""
