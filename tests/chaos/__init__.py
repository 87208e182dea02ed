"""The fault matrix: every way a provider can fail, through a real gateway, seen by clients of both dialects."""
