"""Observability: the request log, metrics, and what is derived from them."""
