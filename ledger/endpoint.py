"""What may be shown of a JSON-RPC endpoint's URL."""

from urllib.parse import urlsplit


def shown_url(url: str) -> str:
    """Scheme, host and port: the rest may hold a secret, as providers' paths and passwords do."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an endpoint"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "an endpoint"
