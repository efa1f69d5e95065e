"""The methods' mathematics: pure functions on arrays."""
