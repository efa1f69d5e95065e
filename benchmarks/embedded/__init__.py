"""The network in the package: its layout, its training, its export and what it is worth."""
