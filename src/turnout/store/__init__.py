"""Durable state behind ports: one contract, several engines."""
