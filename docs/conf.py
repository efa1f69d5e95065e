"""Configuration of the documentation.

The build needs no network and takes warnings for errors (`sphinx-build -W`). Its pages load nothing
from elsewhere: no fonts, no scripts, no inventories of other sites.
"""

from pathlib import Path

from skdeepenc import __version__

project = "skdeepenc"
author = "The skdeepenc developers"
copyright = author
release = version = __version__
extensions = [
    "myst_parser",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# What commands wrote is included by papers.md and benchmarks.md.
exclude_patterns = ["_build", "_templates", "examples", "measured", "reproduced"]
templates_path = ["_templates"]
# Several rankers have an attribute `gallery_`; numpydoc links its name without saying whose it is.
# The gallery's settings hold functions and classes, which no cache of Sphinx can keep.
suppress_warnings = ["ref.python", "config.cache"]

# Pages
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# Reference
autosummary_generate = True
autosummary_ignore_module_all = False  # the reference lists what `__all__` lists
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # the docstrings say types, with shapes
numpydoc_show_class_members = False

# Figures of the guide
plot_formats = [("png", 180)]
plot_html_show_formats = False
plot_html_show_source_link = False


# Gallery
def _use_figure_style(gallery_conf, name):
    """Draw the figures of every example in the one style, whatever the example before it set."""
    from matplotlib import pyplot

    pyplot.style.use(Path(__file__).with_name("figures.mplstyle"))


sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("skdeepenc",),
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "matplotlib_animations": False,
    "min_reported_time": 3600,  # how long an example took says more of the machine than of it
    "parallel": 2,
    "capture_repr": (),
    "image_srcset": ["2x"],
    "reset_modules": ("matplotlib", _use_figure_style),
}

# Look
html_theme = "pydata_sphinx_theme"
html_title = "skdeepenc"
html_static_path = ["_static"]
html_css_files = ["skdeepenc.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "icon_links": [
        {
            "name": "Source",
            "url": "https://github.com/skdeepenc/skdeepenc",
            "icon": "fa-brands fa-github",
        },
    ],
}
# Pages without others below them have no navigation of a section.
_ALONE = (
    *("index", "get_started", "which", "gallery/index", "papers", "benchmarks", "coming_from"),
    *("glossary", "extend", "architecture", "changelog", "security", "citation", "contributing"),
)
html_sidebars = {page: [] for page in _ALONE}


def _is_metadata_request(app, what, name, thing, skip, options):
    """Leave out scikit-learn's `set_*_request`, whose docstrings refer to its own pages."""
    return skip or (name.startswith("set_") and name.endswith("_request"))


def setup(app):
    """Register what autodoc should leave out."""
    app.connect("autodoc-skip-member", _is_metadata_request)
