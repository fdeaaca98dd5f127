"""The chain: backends, signing, settlement, delivery, certificates and audit."""
