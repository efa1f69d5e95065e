"""Read model files, and believe them only as far as they hold."""
