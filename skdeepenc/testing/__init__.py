"""Checks that every estimator of feature maps should pass."""
