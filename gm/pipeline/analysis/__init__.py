"""From a request to a checked analysis: documents, settings, problems, science objects."""
