"""Re-verification of the whole history from an RPC connection and the Exchange's address alone."""
