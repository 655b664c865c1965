"""What a run looks like: the palette, overlays, figures and the HTML page. NumPy, matplotlib and jinja2 only.

Nothing is imported here, so that `wsseg.palette` costs no more than NumPy.
"""
