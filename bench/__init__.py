"""Side-by-side measurements of Turnout and peer gateways, and the bars that Turnout must clear."""
