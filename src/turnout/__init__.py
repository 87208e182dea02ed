"""Turnout: every request to the cheapest model that will do the job, inside the caller's rules and money."""

__version__ = "0.1.0"
