"""Addresses of photos: what names them, what is secret in them, which are refused."""

from __future__ import annotations

import errno
import os

import fsspec
import pytest

from hotelviz.errors import ImageError, RemoteError
from hotelviz.images import read_image
from hotelviz.io import remote
from hotelviz.io.remote import photo_name, read_bytes, redact
from hotelviz.schema import Status

s3fs = pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
KEY, SECRET = "AKIATESTTESTTEST", "a-very-secret-key-of-forty-letters-012345"


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    # Connections are kept by their settings; where the server is stands in the environment.
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_disk_that_does_not_answer_is_no_fault_of_the_photo(monkeypatch, tmp_path, code):
    def fails(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(ImageError, match=os.strerror(code)) as raised:
        read_image(tmp_path / "a.jpg")
    assert raised.value.status is Status.UNAVAILABLE


AWS_2 = "https://h/a.jpg?AWSAccessKeyId=AKIA1&Expires=17&Signature=zzz9&x-amz-security-token=tok7"


AWS_4 = (
    "https://h/a.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA1%2F2026&X-Amz-Date=2026"
    "&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=tok7&X-Amz-Signature=zzz9"
)


GOOGLE_2 = "https://h/a.jpg?GoogleAccessId=svc@p&Expires=17&Signature=zzz9"


GOOGLE_4 = (
    "https://h/a.jpg?X-Goog-Algorithm=GOOG4&X-Goog-Credential=svc%40p&X-Goog-Date=2026"
    "&X-Goog-Expires=600&X-Goog-SignedHeaders=host&X-Goog-Signature=zzz9"
)


AZURE = (
    "https://h/a.jpg?sv=2019-09-09&st=2026-01-01&se=2030-01-01&sr=b&sp=racwd&skoid=obj-7"
    "&sig=zzz9%3D"
)


CLOUDFRONT = "https://h/a.jpg?Policy=cG9s&Signature=zzz9&Key-Pair-Id=APKA1"


@pytest.mark.parametrize("url", [AWS_2, AWS_4, GOOGLE_2, GOOGLE_4, AZURE, CLOUDFRONT])
def test_name_of_a_photo_is_its_address_without_who_signed_it(url):
    assert photo_name(url) == "https://h/a.jpg"
    place, _, query = url.partition("?")
    assert photo_name(f"{place}?w=9&{query}&size=L") == "https://h/a.jpg?w=9&size=L"
    assert photo_name(url.replace("://", "://me:hunter2@")) == "https://h/a.jpg"


def test_name_of_a_photo_keeps_what_tells_it_apart():
    for url in ("https://h:80/a@b.jpg?id=1", "https://h/a.jpg?se=1&sp=2", "s3://b/a.jpg#x",
                "http://[::1]:8/a@b.jpg", "https://h/a?monkeys=3"):  # fmt: skip
        assert photo_name(url) == url
        assert redact(url) == url


@pytest.mark.parametrize("url", ["s3://AKIA1:zzz9@bucket/a.png", "gs://zzz9@bucket/a.png",
                                 "abfs://zzz9:zzz9@account/a.png"])  # fmt: skip
def test_key_in_the_address_of_a_store_is_refused_without_saying_it(url):
    with pytest.raises(RemoteError, match="a user or key stands in the address") as raised:
        read_bytes(url)
    assert "zzz9" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("https://me:pass-word@host/a.jpg", ["me:", "pass-word"]),
        ("s3://b/a?X-Amz-Signature=abc123&X-Amz-Credential=AKIA%2Fx", ["abc123", "AKIA"]),
        ("https://h/a?AWSAccessKeyId=AKIA1&Signature=zzz9&Expires=1", ["AKIA1", "zzz9"]),
        ("https://h/a?sv=2&sig=zzz9%3D", ["zzz9"]),
        ("https://h/a?access_token=zzz9", ["zzz9"]),
        (AWS_2, ["AKIA1", "zzz9", "tok7"]),
        (AWS_4, ["AKIA1", "zzz9", "tok7"]),
        (GOOGLE_2, ["svc@p", "zzz9"]),
        (GOOGLE_4, ["svc%40p", "zzz9"]),
        (AZURE, ["zzz9", "2030-01-01", "2019-09-09", "racwd", "obj-7"]),
        (CLOUDFRONT, ["zzz9", "APKA1", "cG9s"]),
        ("https://h/a#access_token=zzz9&x=1", ["zzz9"]),
        ("https://h/a?%61pi_key=zzz9", ["zzz9"]),
        ("https://h/a?hdnea=zzz9", ["zzz9"]),
        ("s3a://AKIA1:zz/zz9@bucket/a.jpg", ["AKIA1", "zz/zz9"]),
        (f"the key {SECRET} was refused", [SECRET]),
    ],
)
def test_secrets_are_taken_out(credentials, text, secrets):
    clean = redact(text)
    assert "***" in clean
    assert not [secret for secret in secrets if secret in clean]


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://b/a.jpg", "s3"), ("gs://b/a.jpg", "gcs"), ("https://h/a.jpg", "s3")]
)
def test_reader_that_is_not_installed_is_named_with_its_command(monkeypatch, url, extra):
    def missing(*_, **__):
        raise ImportError("no such package")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(RemoteError, match=rf"pip install 'hotelviz\[{extra}\]'"):
        read_bytes(url)


def test_unknown_scheme_is_named():
    with pytest.raises(RemoteError, match="scheme nowhere:// is not known"):
        read_bytes("nowhere://a/b.jpg")
