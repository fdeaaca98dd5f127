"""The chain: backends, signing, settlement, delivery, certificates and audit."""

import os

# Where both are installed, eth_hash would choose pycryptodome, which takes three times as long for a hash.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
