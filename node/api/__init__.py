"""The node's HTTP API: resources in the market's own words, problem+json when something is refused."""
