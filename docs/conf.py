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
# Several rankers have an attribute `gallery_`; numpydoc links its name without saying whose it is.
suppress_warnings = ["ref.python"]
exclude_patterns = ["_build", "_templates"]
html_theme = "pydata_sphinx_theme"
myst_enable_extensions = ["dollarmath"]


def _is_metadata_request(app, what, name, thing, skip, options):
    """Leave out scikit-learn's `set_*_request`, whose docstrings refer to its own pages."""
    return skip or (name.startswith("set_") and name.endswith("_request"))


def setup(app):
    """Register what autodoc should leave out."""
    app.connect("autodoc-skip-member", _is_metadata_request)
