"""The border to a terminal: styles, room, tables."""
