"""The store of durable runs: the inputs of each run's core, written down so that another host can go on."""
