"""Tables and maps from files that models are made of."""
