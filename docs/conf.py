"""Settings of Sphinx for docs/site.py."""

import gm

project = "gm"
author = "The gm developers"
release = version = gm.__version__
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"gm {release}"
html_show_copyright = False
html_show_sourcelink = False
