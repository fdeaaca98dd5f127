"""The demonstration: one real sunny day of 17 homes, traded over HTTP and settled on the embedded chain."""
