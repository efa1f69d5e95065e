"""ActivationExtractor: images in, FeatureMaps out."""
