"""Settings of the documentation site; `make docs` builds it, without any outside request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from api_pages import inheriting  # noqa: E402
from argument_types import linked_types  # noqa: E402

import hotelviz  # noqa: E402

#: The drawn demo on which tutorials run and of which the pictures are; made below.
DEMO = HERE / "_build" / "demo"
os.environ["HOTELVIZ_DOCS_DEMO"] = str(DEMO)
# Kernels of the tutorials run this tree, whether or not the package is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
)
# In its own process: TensorFlow's threads do not survive the processes that Sphinx forks.
subprocess.run(
    [sys.executable, str(HERE / "pictures.py"), str(DEMO), str(HERE / "api/generated/pictures")],
    check=True,
    env={**os.environ, "MPLBACKEND": "agg"},
)

project = "hotelviz"
author = "The hotelviz developers"
project_copyright = "The hotelviz developers"
version = release = hotelviz.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "api_pages",
    "argument_types",
    "mathml",
    "plot_pictures",
    "signatures",
]
exclude_patterns = ["_build", "README.md", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = False

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autosummary_context = {"inheriting": inheriting()}
autodoc_typehints = "signature"  # where no section says them: see `signatures`
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = linked_types()
numpydoc_xref_ignore = "all"  # but for these

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_merge_streams = True
# Widgets would load scripts from other hosts: the pages show tables and pictures only.
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_title = f"hotelviz {release}"
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["api/generated/pages"]
html_static_path = ["_static"]
# Pages that stand alone have nothing to navigate.
html_sidebars = {"quick_start": [], "scale": [], "contributing": [], "changelog": []}
html_context = {"default_mode": "auto"}
html_favicon = "_static/hotelviz.svg"
html_css_files = ["site.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
}


def setup(app: Any) -> None:
    """Remove the theme's own template from the site: it is no page."""
    app.connect(
        "build-finished",
        lambda app, _error: (Path(app.outdir) / "_static/webpack-macros.html").unlink(
            missing_ok=True
        ),
    )
