"""Is it better? Studies that are planned, trained, and told by tables, plots and a verdict."""
