"""The engine as a Python library: everything that the gateway does for a request, without a socket.

On the level of `edge` and `cli`: it plugs a `Gateway` together and asks it in process. Nobody below imports it; its public names
are those of `turnout` itself.
"""
