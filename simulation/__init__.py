"""Communities, their data, and the indicators computed from a run."""
