"""What a model wants and where it is found: specifications, configurations, names."""
