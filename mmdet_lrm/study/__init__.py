"""What makes a comparison of detectors believable: fairness, spread, and tables of both."""
