"""The pages: Litestar, Jinja and HTMX over what `pinguin.store` reads."""
