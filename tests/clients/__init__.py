"""Real programs against Turnout on simulated providers, each in an environment of its own: `python -m tests.clients`."""
