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
autosummary_ignore_module_all = False  # the reference lists what `__all__` lists
templates_path = ["_templates"]
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # the docstrings say types, with shapes
numpydoc_show_class_members = False
exclude_patterns = ["_build", "_templates"]
html_theme = "pydata_sphinx_theme"
myst_enable_extensions = ["dollarmath"]
