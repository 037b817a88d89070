"""Map datasets in the likelihood: their terms, and what sources predict for them."""
