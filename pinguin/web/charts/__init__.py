"""Charts, drawn here as SVG: no script is needed to see them, and no style attribute to lay them out."""
