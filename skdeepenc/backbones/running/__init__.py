"""Run graphs: sessions, providers, batches, limits of time and memory."""
