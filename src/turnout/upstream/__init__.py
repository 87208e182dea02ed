"""Providers: who they are, how to reach and sign for them, and the one outbound socket."""
