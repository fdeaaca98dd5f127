"""Events: what happened in a market, for whoever follows it."""
