"""IPython extension of the kernels that run reports."""

from __future__ import annotations

import os
from typing import Any

from hotelviz.io.native_notes import quiet_tensorflow

#: What has to be in the environment before anything reads it.
VARIABLES = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def load_ipython_extension(shell: Any) -> None:
    """Make figures pictures and galleries parts of the page; silence TensorFlow's notes.

    It sets variables before anything reads them: here nothing but the standard library is imported.
    What native code writes would reach the terminal of whoever runs the report, too.
    """
    os.environ.update(VARIABLES)
    quiet_tensorflow()
    shell.extension_manager.load_extension("hotelviz.gallery.page_form")
