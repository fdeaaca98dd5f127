"""The evidence behind guarantees of origin: what was metered, who signed it, and which rules it keeps."""
