"""The fast engine: a community's slots traded on plain arrays, all households at once."""
