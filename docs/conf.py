"""Configuration of the documentation."""

from skdeepenc import __version__

project = "skdeepenc"
author = "The skdeepenc developers"
release = version = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
autosummary_generate = True
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
myst_enable_extensions = ["dollarmath"]
