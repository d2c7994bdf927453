"""Plan, ledger and dispatch."""
