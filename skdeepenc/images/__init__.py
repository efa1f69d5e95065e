"""From files and arrays to the pixels a backbone takes."""
