"""The route layer: asks the router for a plan and writes it on the call. The router is pure; this is its one caller."""

from __future__ import annotations

from collections.abc import Awaitable

from turnout.core.call import Call, Layer, Reply, Service
from turnout.routing.plan import Planner


def route(planner: Planner) -> Layer:
    def layer(service: Service) -> Service:
        def routed(call: Call) -> Awaitable[Reply]:
            plan = planner.decide(
                call.envelope.model,
                call.controls,
                call.principal,
                lambda: call.request,
                call.op,
                envelope=call.envelope,
            )
            call.plan = plan
            if plan.notices:
                call.notices.extend(plan.notices)
            return service(call)

        return routed

    return layer
