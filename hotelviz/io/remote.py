"""Bytes of a photo, from a disk or from a URL.

A photo's place is a path, or a URL of one of `SCHEMES`. Reading is bounded in bytes and in time; a
URL is tried three times, and may not send on to this machine or its network. Messages never carry
a secret that a URL or the environment holds.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from urllib.parse import unquote_plus

from hotelviz.errors import RemoteError, TooLargeError

#: Longer files are not photos.
MAX_BYTES = 256 * 1024**2
#: Seconds until a photo's URL is given up, and how often it is tried.
TIMEOUT = 20.0
TRIES = 3
#: Seconds before the second try, and twice that before the third.
PAUSE = 0.2

#: Where photos may be, beside the disk. Nothing that leads to it, or on to somewhere else.
SCHEMES = ("http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
#: scheme -> the extra of hotelviz that has to be installed for it
_EXTRAS = {**dict.fromkeys(("http", "https", "s3", "s3a"), "s3"), "gs": "gcs", "gcs": "gcs"}
#: No other try helps: an answer, or the user's wish to end.
_FINAL = (FileNotFoundError, PermissionError, RemoteError, KeyboardInterrupt, SystemExit)
#: What stores raise where they refuse, of clients that may not be installed.
_REFUSALS = {
    "PermissionError", "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"
}  # fmt: skip
#: Names of what grants access in an address: AWS, Google, Azure, CloudFront, Akamai and others.
_SECRET_PARAMETER = re.compile(
    r"(?i)[\w.-]*(?:signature|credential|token|secret|passw|pwd|auth|policy|hmac|jwt|session)[\w.-]*"
    r"|[\w.-]*key(?:[-_]?(?:pair)?[-_]?id)?|[\w.-]*access(?:key)?id|sig|code|hdn(?:ts|tl|ea)"
)
_PARAMETER = re.compile(r"([?&;#])([\w.%+-]+)=[^&;#\s'\"<>]+")
#: What else belongs to a signature, and changes with it.
_SIGNING = re.compile(r"(?i)expires|x-(?:amz|goog|oss|cos|bce)-[\w-]+|x-id")
_AZURE = re.compile(
    r"(?i)([&?](?:se|sp|sv|sr|st|si|sip|spr|skoid|sktid|skt|ske|sks|skv|saoid|suoid|scid)=)"
    r"[^&;#\s'\"<>]+"
)
#: Who reads: also with a slash in the password, as keys of stores have.
_USER = re.compile(r"(://)(?:[^/?#\s'\"<>@\[]*:(?!\d+[/?#])[^?#\s'\"<>@]*|[^/?#\s'\"<>]*)@")
_SECRET_VARIABLE = re.compile(r"(?i)(secret|token|password|access_key|account_key|credential)")


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a photo's place is a URL.

    Examples
    --------
    >>> is_url("s3://photos/1.jpg"), is_url("/photos/1.jpg")
    (True, False)
    """
    return isinstance(path, str) and "://" in path


def redact(text: object) -> str:
    """Return a text without what grants access: users, signatures and secrets of this process.

    Parameters
    ----------
    text
        A URL, or a message that may contain some.

    Returns
    -------
    str
        With ``***`` in place of each secret.

    See Also
    --------
    photo_name : A name of a photo from its URL.

    Examples
    --------
    >>> redact("https://me:secret@host/1.jpg?w=9&X-Amz-Signature=ab12")
    'https://***@host/1.jpg?w=9&X-Amz-Signature=***'
    """
    clean = str(text)
    if "://" in clean:
        clean = _USER.sub(r"\1***@", clean)
        clean = _PARAMETER.sub(
            lambda found: f"{found[1]}{found[2]}=***" if _is_secret(found[2]) else found[0], clean
        )
        # Azure's signed addresses: who holds the rest needs to know no more than that.
        if re.search(r"[?&]sig=", clean):
            clean = _AZURE.sub(r"\1***", clean)
    for name, value in os.environ.items():
        if len(value) >= 8 and value in clean and _SECRET_VARIABLE.search(name):
            clean = clean.replace(value, "***")
    return clean


def photo_name(url: str) -> str:
    """Return what names the photo at a URL: the address without who may read it, and until when.

    The same photo has the same name when its address is signed anew. Addresses that differ in
    nothing else have one name: where such are different photos, they need ids of their own.

    Parameters
    ----------
    url
        The address.

    Returns
    -------
    str

    Examples
    --------
    >>> photo_name("https://me:secret@host/1.jpg?w=9&Expires=77&Signature=ab12")
    'https://host/1.jpg?w=9'
    """
    place, mark, fragment = _USER.sub(r"\1", url).partition("#")
    place, asked, query = place.partition("?")
    azure = re.search(r"(?:^|&)sig=", query)

    def kept(text: str) -> str:
        return "&".join(
            part
            for part in re.split("[&;]", text)
            if not _is_secret(name := part.partition("=")[0])
            and not _SIGNING.fullmatch(unquote_plus(name))
            and not (azure and _AZURE.fullmatch(f"&{part}"))
        )

    for sign, part in ((asked, kept(query)), (mark, kept(fragment))):
        place += part and sign + part
    return redact(place)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_PARAMETER.fullmatch(unquote_plus(name)))


def read_bytes(
    path: str | os.PathLike[str],
    *,
    timeout: float | None = None,
    max_bytes: int | None = None,
    allow_private_redirects: bool | None = None,
) -> bytes:
    """Read a file from a disk or a URL: the one reader of photos.

    Parameters
    ----------
    path
        A local path, or a URL of one of `SCHEMES`.
    timeout
        Seconds a URL has for each of `TRIES` tries, from the first byte to the last; None takes
        `TIMEOUT`.
    max_bytes
        Longer files are refused; None takes `MAX_BYTES`.
    allow_private_redirects
        Whether a server may send on to this machine or its own network, which it could not reach
        itself. None asks ``$HOTELVIZ_ALLOW_PRIVATE_REDIRECTS`` (``1`` allows it). Addresses that
        are such themselves are read in any case.

    Returns
    -------
    bytes

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        As their names say; a missing or refused URL is not tried again.
    TooLargeError
        The file is longer than `max_bytes`.
    RemoteError
        A URL that failed three times, is not answered in time, is of an unknown scheme, or sends
        on to where it may not.
    OSError
        The disk does not give it; a device is no file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "a"
    >>> _ = file.write_bytes(b"photo")
    >>> read_bytes(file)
    b'photo'
    """
    bound = MAX_BYTES if max_bytes is None else max_bytes
    private, timeout = allow_private_redirects, timeout or TIMEOUT
    url = is_url(path)
    data = _read_url(str(path), timeout, bound, private) if url else _read_file(path, bound)
    if data is None or len(data) > bound:
        raise TooLargeError(f"larger than {bound // 1024**2} MB")
    return data


def _read_file(path: str | os.PathLike[str], bound: int) -> bytes | None:
    """Read a file, or None where it is longer than the bound."""
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "no file can have this name")
    # A pipe would be waited for, a device read without end.
    at_once = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", 0, opener=lambda name, how: os.open(name, how | at_once)) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "a device or a pipe, not a file")
        if about.st_size > bound:
            return None
        # Files that the system makes up say that they are empty.
        return file.read() if about.st_size else file.read(bound + 1)


def _read_url(url: str, timeout: float, bound: int, private: bool | None) -> bytes:
    import tenacity  # Not above: it brings servers and event loops along.

    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_exponential(multiplier=PAUSE),
        retry=tenacity.retry_if_not_exception_type(_FINAL),
    )
    try:
        return tries(_try_url, url, timeout, bound, private)
    except tenacity.RetryError as error:
        last = error.last_attempt.exception()
    if isinstance(last, TimeoutError) or "imeout" in type(last).__name__:
        reason = f"no answer within {timeout:g} s"
    else:
        reason = redact(last or "") or type(last).__name__
    raise RemoteError(f"failed {TRIES} times: {reason}")


def _try_url(url: str, timeout: float, bound: int, private: bool | None) -> bytes:
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        hint = "; write its path without it" if scheme in {"file", "local"} else ""
        raise RemoteError(
            f"the scheme {scheme}:// is not known: photos are read from disk and from "
            f"{', '.join(f'{known}://' for known in SCHEMES)}{hint}"
        )
    user = _USER.search(url) if scheme not in {"http", "https"} else None
    # Azure's containers stand before an @, too. Clients would take the rest for a bucket's name,
    # and say it in their messages.
    if user and (":" in user[0].removeprefix("://") or scheme in {"s3", "s3a", "gs", "gcs"}):
        raise RemoteError(
            f"a user or key stands in the address, which {scheme}:// does not take: set it in the "
            "environment variables of the store"
        )
    try:
        return _fetch(scheme, url, timeout, bound, private)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "missing") from None
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        hint = f": pip install 'hotelviz[{extra}]'" if extra else f" ({redact(error)})"
        raise RemoteError(f"{scheme}:// is not installed{hint}") from None
    except Exception as error:
        if _REFUSALS.isdisjoint(cls.__name__ for cls in type(error).__mro__):
            raise
        reason = redact(error.args[-1] if error.args else "refused")
        raise PermissionError(errno.EACCES, f"no permission ({reason})") from None


def _fetch(scheme: str, url: str, timeout: float, bound: int, private: bool | None) -> bytes:
    """Read up to one byte more than the bound."""
    import fsspec.asyn

    if scheme in {"http", "https"}:
        from hotelviz.io.web import stream

        web = fsspec.filesystem(scheme)
        page: bytes = fsspec.asyn.sync(web.loop, stream, web, url, bound, private, timeout=timeout)
        return page
    # Tries are counted here, so the client makes one; its own time-outs close the sockets.
    client = {
        "connect_timeout": timeout, "read_timeout": timeout,
        "retries": {"total_max_attempts": 1}, "max_pool_connections": 64,
    }  # fmt: skip
    # Not by `url_to_fs`, which reads chains: `s3://…::file://…` is a local file to it.
    system = fsspec.filesystem(scheme, **{"config_kwargs": client} if scheme[:2] == "s3" else {})
    system.retries = 1
    path = system._strip_protocol(url)
    try:
        data: bytes = system.cat_file(path, start=0, end=bound + 1, timeout=timeout)
    except OSError as error:
        if "range is not satisfiable" not in str(error):
            raise
        return b""  # An empty file has no first byte to ask for.
    return data
