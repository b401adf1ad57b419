"""Architecture search: stages, latency oracles, proxy training, the Pareto front."""
