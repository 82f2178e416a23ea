"""The API: everything that a page does, for programs, below /api/v1."""
