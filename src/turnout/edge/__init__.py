"""The edge: where clients connect, and the one place that knows which concrete parts are plugged together."""
