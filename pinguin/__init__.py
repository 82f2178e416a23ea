"""Pinguin: an uptime monitor that people trust with their night's sleep."""
