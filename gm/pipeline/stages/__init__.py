"""The stages of an analysis: settings, checks, computation and document of each."""
