"""The commands that look without computing a stage."""
