"""Figures of results, from their files alone.

A figure, ``gm/figures/<figure>.py``, says what parts it is drawn from, and draws those of any results together; a kind
of document, ``gm/figures/of_<kind>.py``, says which parts it has for which figures. Matplotlib is imported when
something is drawn.
"""
