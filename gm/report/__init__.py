"""One page of all results of an analysis, from their files alone.

A kind of document has its section in ``gm/report/of_<kind>.py``; one without has what all documents have.
"""
