"""Pictures of a run: overlays, sheets, figures and the HTML page. NumPy, Pillow, matplotlib and jinja2 only.

This file imports nothing, so a module of this folder loads only the libraries that it needs itself.
"""
