"""`python -m turnout.sim`: the simulated providers alone."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop

from turnout.sim import SIM_PROVIDERS, SimConfig, start


async def main(config: SimConfig) -> None:
    server = await start(config)
    for name, url in server.base_urls.items():
        sys.stdout.write(f"{name:10} {url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def arguments() -> SimConfig:
    parser = argparse.ArgumentParser(prog="python -m turnout.sim", description=__doc__)
    parser.add_argument(
        "--port-base", type=int, default=0, help="first port; the providers take the following ones"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="1 is real time, 0 no delay")
    given = parser.parse_args()
    ports = {p.name: given.port_base + n for n, p in enumerate(SIM_PROVIDERS)} if given.port_base else {}
    return SimConfig(seed=given.seed, ports=ports, speed=given.speed)


if __name__ == "__main__":
    try:
        uvloop.run(main(arguments()))
    except KeyboardInterrupt:
        sys.exit(0)
