"""The router: from a request, its caller and the configuration to an ordered list of candidates, with the reasons.

Pure: it imports the core only, and touches no clock, no randomness and no I/O. `table` says what a configuration means,
`features` and `tokens` read a request, `classification` (weights in `cues`) names its task and tier, `ranking` orders,
`constraints` remove, `plan` puts these together, `explanation` shows the result.
"""
