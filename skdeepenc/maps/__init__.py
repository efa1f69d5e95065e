"""FeatureMaps, the one currency between backbone and encoders."""
