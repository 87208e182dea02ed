"""Canonical types that every other part speaks: requests, events, failures, money, calls.

The core imports the standard library and msgspec only. It never touches a socket, a clock, the
environment or an event loop, so every law about it can be tested as plain functions.
"""
