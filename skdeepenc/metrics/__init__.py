"""Named evaluation protocols, each as its data set defines it."""
