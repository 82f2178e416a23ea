"""Pinguin: an uptime monitor that people trust with their night's sleep."""

__version__ = "0.1.0"
"""The one place of it: the packaging reads it from here too."""
