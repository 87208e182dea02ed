"""Dialects: sans-IO codecs between wire formats and the canonical types, one folder a dialect."""
