"""Models as documents: Gammapy's models.yaml and the covariance beside it, read, edited and written."""
