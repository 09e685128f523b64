"""What schemathesis cannot know of well-formed calls: how a picture or an archive looks, that a key is used once."""

import io
import os
import re
import uuid
import zipfile

import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.transport.serialization import Binary


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return file.getvalue()


def archive(colour):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("A/a.png", picture(colour))
    return file.getvalue()


_COLOURS = st.sampled_from(["teal", "navy", "plum"])
_MIN_ECHO = 4
"""Shorter texts stand in our own words by chance."""
_HARMLESS = re.compile(r"[A-Za-z0-9_-]*")
"""Ids, numbers and the names of kinds and roles."""
_ARCHIVE_TYPES = ("application/gzip", "application/x-gzip", "application/x-tar", "application/octet-stream")
schemathesis.openapi.media_type("application/zip", _COLOURS.map(archive), aliases=_ARCHIVE_TYPES)
schemathesis.openapi.format("binary", _COLOURS.map(picture).map(Binary))


@schemathesis.hook
def before_call(context, case, kwargs):  # noqa: ARG001 - as schemathesis calls it
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if "X-Request-Timeout" in case.headers:  # a call that has no time left is answered 504, as documented
        case.headers["X-Request-Timeout"] = "30"
    if case.headers.get("If-Match", '"').startswith('"') is False:  # it takes the quotes of the pattern for JSON's
        case.headers["If-Match"] = f'"{case.headers["If-Match"]}"'


@schemathesis.check
def no_secret_is_told(ctx, response, case):  # noqa: ARG001 - as schemathesis calls it
    told = response.content.decode("latin-1") + str(response.headers)
    for secret in os.environ["ASL_TEST_SECRETS"].split():
        assert secret not in told, "a secret in an answer"


@schemathesis.check
def problems_are_in_our_own_words(ctx, response, case):  # noqa: ARG001 - as schemathesis calls it
    if response.status_code < 400 or not response.content:
        return
    problem = response.json()
    for text in [*case.path_parameters.values(), *case.query.values(), *_texts_of(case.body)]:
        if isinstance(text, str) and len(text) >= _MIN_ECHO and not _HARMLESS.fullmatch(text):
            assert text not in problem["detail"] + problem["hint"], f"input in a problem: {text[:100]!r}"


def _texts_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts_of(item)]
    return [value]
