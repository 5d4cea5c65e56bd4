"""Bytes of a photo, from a disk or from a URL.

A photo's place is a path, or a URL of any scheme that fsspec knows (``s3://``, ``gs://``,
``https://`` and others). Reading is bounded in bytes and in time and is tried three times.
Messages never carry a secret that a URL or the environment holds.
"""

from __future__ import annotations

import errno
import os
import re
import time
from pathlib import Path
from typing import Any

__all__ = ["MAX_BYTES", "TIMEOUT", "TRIES", "RemoteError", "is_url", "read_bytes", "redact"]

#: Longer files are not photos.
MAX_BYTES = 256 * 1024**2
#: Seconds until a photo's URL is given up, and how often it is tried.
TIMEOUT = 20.0
TRIES = 3
#: Seconds before the second try, and twice that before the third.
_PAUSE = 0.2

#: scheme -> what has to be installed for it
_EXTRAS = {
    "s3": "hotelviz[s3]", "s3a": "hotelviz[s3]", "http": "hotelviz[s3]", "https": "hotelviz[s3]",
    "gs": "hotelviz[gcs]", "gcs": "hotelviz[gcs]",
}  # fmt: skip
_SECRET_PARAMETER = (
    r"(?i)([?&;](?:[\w.-]*(?:signature|credential|token|secret|passw|pwd|auth|policy)[\w.-]*"
    r"|[\w.-]*key(?:[-_]?id)?|[\w.-]*accesskeyid|sig|code)=)[^&;\s'\"<>]+"
)
_SECRET_VARIABLE = re.compile(r"(?i)(secret|token|password|access_key|account_key|credential)")


class RemoteError(OSError):
    """A photo's URL gives no photo; the message says why, without secrets."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a photo's place is a URL.

    Examples
    --------
    >>> is_url("s3://photos/1.jpg"), is_url("/photos/1.jpg")
    (True, False)
    """
    return isinstance(path, str) and "://" in path


def redact(text: object) -> str:
    """Take what grants access out of a text: users and signatures in URLs, secrets of this process.

    Parameters
    ----------
    text
        A URL, or a message that may contain some.

    Returns
    -------
    str
        With ``***`` in place of each secret.

    Examples
    --------
    >>> redact("https://me:secret@host/1.jpg?w=9&X-Amz-Signature=ab12")
    'https://***@host/1.jpg?w=9&X-Amz-Signature=***'
    """
    clean = str(text)
    if "://" in clean:
        clean = re.sub(r"(://)[^/?#\s'\"<>]*@", r"\1***@", clean)
        clean = re.sub(_SECRET_PARAMETER, r"\1***", clean)
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_VARIABLE.search(name):
            clean = clean.replace(value, "***")
    return clean


def read_bytes(path: str | os.PathLike[str], *, timeout: float | None = None) -> bytes:
    """Read a file from a disk or a URL.

    Parameters
    ----------
    path
        A local path, or a URL.
    timeout
        Seconds a URL has for each of `TRIES` tries; None takes `TIMEOUT`.

    Returns
    -------
    bytes
        At most `MAX_BYTES`.

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        As their names say; a missing or refused URL is not tried again.
    RemoteError
        A URL that failed three times, is not answered in time, or is of an unknown scheme.
    OSError
        The file is longer than `MAX_BYTES`.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a"
    >>> _ = file.write_bytes(b"photo")
    >>> read_bytes(file)
    b'photo'
    """
    if is_url(path):
        return _read_url(str(path), timeout or TIMEOUT)
    with Path(path).open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES // 1024**2} MB")
        return file.read()


def _read_url(url: str, timeout: float) -> bytes:
    pause = _PAUSE
    for attempt in range(1, TRIES + 1):
        try:
            return _try_url(url, timeout)
        except (FileNotFoundError, PermissionError, RemoteError):
            raise
        except Exception as error:  # Each service has exceptions of its own.
            reason = _reason(error, timeout)
        if attempt < TRIES:
            time.sleep(pause)
            pause *= 2
    raise RemoteError(f"failed {TRIES} times: {reason}")


def _try_url(url: str, timeout: float) -> bytes:
    scheme = url.partition("://")[0].lower()
    try:
        return _fetch(scheme, url, timeout)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "missing") from None
    except ImportError as error:
        raise RemoteError(_how_to_install(scheme, error)) from None
    except ValueError as error:
        if "rotocol not known" in str(error):
            raise RemoteError(f"the scheme {scheme}:// is not known") from None
        raise
    except Exception as error:
        if _is_refused(error):
            raise PermissionError(errno.EACCES, _refusal(error)) from None
        raise


def _how_to_install(scheme: str, error: ImportError) -> str:
    if scheme in _EXTRAS:
        return f"{scheme}:// is not installed: pip install '{_EXTRAS[scheme]}'"
    return f"{scheme}:// is not installed ({redact(error)})"


def _fetch(scheme: str, url: str, timeout: float) -> bytes:
    try:
        import fsspec.asyn
        import fsspec.core
    except ImportError as error:
        raise RemoteError(_how_to_install(scheme, error)) from None
    if scheme in {"http", "https"}:
        system = fsspec.filesystem(scheme)
        data: bytes = fsspec.asyn.sync(system.loop, _stream, system, url, timeout=timeout)
    else:
        options: dict[str, Any] = {}
        if scheme in {"s3", "s3a"}:
            # Tries are counted here, so the client makes one; its own time-outs close the sockets.
            options["config_kwargs"] = {
                "connect_timeout": timeout, "read_timeout": timeout,
                "retries": {"total_max_attempts": 1}, "max_pool_connections": 64,
            }  # fmt: skip
        system, path = fsspec.core.url_to_fs(url, **options)
        system.retries = 1
        keywords = {"timeout": timeout} if getattr(system, "async_impl", False) else {}
        try:
            data = system.cat_file(path, start=0, end=MAX_BYTES + 1, **keywords)
        except OSError as error:
            if "range is not satisfiable" not in str(error):
                raise
            data = b""  # An empty file has no first byte to ask for.
    if len(data) > MAX_BYTES:
        raise RemoteError(f"larger than {MAX_BYTES // 1024**2} MB")
    return data


async def _stream(system: Any, url: str) -> bytes:
    """Read a web page's bytes up to the bound: a server may send without end."""
    session = await system.set_session()
    data = bytearray()
    async with session.get(system.encode_url(url)) as response:
        if response.status in {401, 403}:
            raise PermissionError(errno.EACCES, f"status {response.status}")
        if response.status in {404, 410}:
            raise FileNotFoundError(errno.ENOENT, "missing")
        if response.status >= 500 or response.status == 429:
            raise OSError(f"the server answers with status {response.status}")
        if response.status >= 400:
            raise RemoteError(f"the server answers with status {response.status}")
        async for chunk in response.content.iter_chunked(1 << 16):
            data += chunk
            if len(data) > MAX_BYTES:
                break
    return bytes(data)


def _is_refused(error: BaseException) -> bool:
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, PermissionError) or bool(
        names & {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"}
    )


def _refusal(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return f"no permission ({redact(error.args[-1] if error.args else 'refused')})"
    return f"no permission ({redact(error)})"


def _reason(error: BaseException, timeout: float) -> str:
    if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
        return f"no answer within {timeout:g} s"
    return redact(error) or type(error).__name__
