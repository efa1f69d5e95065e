"""Vision transformers: tokens, class tokens, and images of other sizes."""
