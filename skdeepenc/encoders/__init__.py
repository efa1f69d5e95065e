"""Estimators that turn feature maps into vectors."""
