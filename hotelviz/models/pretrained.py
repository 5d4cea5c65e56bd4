"""ImageNet's weights of MobileNet: whether they are here, or can be had at once."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
import threading
import urllib.request
from pathlib import Path

import h5py
import keras

from hotelviz.errors import ModelError
from hotelviz.io.atomic import atomic_path

#: May say that nothing is downloaded that was not asked for by name.
NO_DOWNLOAD_VARIABLE = "HOTELVIZ_NO_DOWNLOAD"
#: Where Keras has them from.
_ORIGIN = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet"
#: Width of the network -> how Keras' files say it.
_WIDTHS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
#: More is not such a file: the largest has 17 MB.
_MAX_BYTES = 64 * 1024**2
#: Once it has begun a download has so many times the seconds of an answer to end.
_WHOLE = 6


def weights_folder() -> Path:
    """Return the folder in which Keras looks for weights, and into which it downloads them.

    Returns
    -------
    pathlib.Path
        ``models`` in ``$KERAS_HOME``, or else in ``~/.keras``. Keras takes a temporary folder
        where it may not write to these.

    Examples
    --------
    >>> weights_folder().name
    'models'
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        home = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir(), ".keras")
    return home / "models"


def imagenet_weights_available(
    *, alpha: float = 1.0, seconds: float = 10.0, origin: str = _ORIGIN
) -> bool:
    """Return whether Keras can have ImageNet's weights of MobileNet, downloading them if need be.

    A file that is there is loaded: one that is broken, or cut off, does not count. A download goes
    into memory, is loaded, and then put where Keras looks; whatever goes wrong, nothing is left
    behind, and a broken file that was there stays.

    Parameters
    ----------
    alpha
        The width of the network: 1, 0.75, 0.5 or 0.25. The weights are those for 224 pixels,
        which `hotelviz.models.build_tagger` takes for any input size.
    seconds
        How long the download may take to begin. It may take six times as long to end.
    origin
        The address of the folder with the files; by default Keras' own. With
        ``HOTELVIZ_NO_DOWNLOAD=1`` none is asked.

    Returns
    -------
    bool
        True where `hotelviz.models.build_tagger` ``(weights="imagenet")`` needs no network any
        more.

    Raises
    ------
    ModelError
        There are no weights of such a width.

    Notes
    -----
    Keras publishes no hash of these files: that all weights of the network can be loaded from a
    file is what shows that it is one.

    Examples
    --------
    >>> imagenet_weights_available(alpha=0.3)
    Traceback (most recent call last):
    hotelviz.errors.ModelError: ImageNet's weights of MobileNet are there for alpha ...
    """
    if alpha not in _WIDTHS:
        widths = ", ".join(map(str, _WIDTHS))
        raise ModelError(
            f"ImageNet's weights of MobileNet are there for alpha {widths}; not {alpha}"
        )
    file = weights_folder() / f"mobilenet_{_WIDTHS[alpha]}_224_tf_no_top.h5"
    if _can_be_loaded(file, alpha):
        return True
    if os.environ.get(NO_DOWNLOAD_VARIABLE, "") not in {"", "0"}:
        return False
    data = _download(f"{origin.rstrip('/')}/{file.name}", seconds)
    if data is None:
        return False
    with tempfile.TemporaryDirectory("-hotelviz") as folder:
        tried = Path(folder, file.name)
        tried.write_bytes(data)
        if not _can_be_loaded(tried, alpha):
            return False
    with contextlib.suppress(OSError), atomic_path(file) as temporary:
        temporary.write_bytes(data)
        return True
    return False


def _can_be_loaded(file: Path, alpha: float) -> bool:
    try:
        h5py.File(file).close()  # A moment, where a network takes seconds to build.
        keras.applications.MobileNet(
            alpha=alpha, include_top=False, input_shape=(None, None, 3), weights=str(file)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return False
    return True


def _download(url: str, seconds: float) -> bytes | None:
    """Return the bytes at an address, or None where it does not answer, or not to the end."""
    data, over = bytearray(), threading.Event()
    answered, ended, whole = threading.Event(), threading.Event(), threading.Event()

    def read() -> None:
        with (
            contextlib.suppress(OSError, ValueError, http.client.HTTPException),
            # Not `urlopen`, which remembers the proxies of its first call.
            urllib.request.build_opener().open(url, timeout=seconds) as response,
        ):
            while chunk := response.read(1 << 16):
                data.extend(chunk)
                answered.set()
                if over.is_set() or len(data) > _MAX_BYTES:
                    break
            else:
                whole.set()
        ended.set()
        answered.set()

    # Looking up a name knows no time-out, and reading one for each part only: what hangs is left
    # to a thread that nobody waits for, and that keeps no program from ending.
    threading.Thread(target=read, daemon=True).start()
    if answered.wait(seconds):
        ended.wait(_WHOLE * seconds)
    over.set()
    return bytes(data) if whole.is_set() else None
