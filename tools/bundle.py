"""A results folder as a closed bundle: `bundle.json` has the size and the SHA-256 of every other file but the page.

The page is left out because it is made from the others, byte for byte. Must not know what the files hold.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tools.results import BadResultsError, write_whole

NAME = "bundle.json"
PAGE = "report.html"
VERSION = 1
NO_BUNDLE = "not a closed results folder: continue an interrupted run with --resume; repeat the run of an old folder"


class File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    bytes: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Bundle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `bundle.json` holds."""

    version: Literal[1]
    """That of this form."""
    name: str
    """Of the run: that of its folder when the run first ended."""
    seed: int
    """Of the experiment."""
    files: Mapping[str, File]
    """By their path within the folder."""


def close(folder: Path, seed: int) -> None:
    """Writes down what is in the folder now. Raises BadResultsError."""
    files = {name: _described(path) for name, path in _files(folder)}
    made = Bundle(version=1, name=name(folder), seed=seed, files=files)
    write_whole(folder / NAME, msgspec.json.format(msgspec.json.encode(made), indent=1).decode() + "\n")


def read(folder: Path) -> Bundle:
    """Raises BadResultsError where there is none, or where it has another version."""
    path = folder / NAME
    try:
        content = path.read_bytes()
        if (version := msgspec.json.decode(content, type=_BundleVersion).version) != VERSION:
            raise BadResultsError(f"{path}: written by another version ({version}, not {VERSION}): run it again")
        return msgspec.json.decode(content, type=Bundle)
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}: {NO_BUNDLE}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadResultsError(f"{path}: not a bundle: {error}") from error


def name(folder: Path) -> str:
    """The run's. A folder that is not closed has its own name."""
    try:
        return read(folder).name
    except BadResultsError:
        return _utf8(folder.resolve().name)


def changes(folder: Path, bundle: Bundle) -> Iterator[str]:
    """A line for each file that differs: changed, shorter, missing, or extra."""
    there = dict(_files(folder))
    for name, file in bundle.files.items():
        if name not in there:
            yield f"{name} is missing"
            continue
        found = _described(there[name])
        if found.bytes < file.bytes:
            yield f"{name} is truncated: it has {found.bytes:,} of {file.bytes:,} bytes"
        elif found != file:
            yield f"{name} was changed"
    for name in there.keys() - bundle.files.keys():
        yield f"{name} is extra: the bundle does not list it"


class _BundleVersion(Struct, frozen=True):
    version: object


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = _utf8(path.relative_to(folder).as_posix())
        if not path.is_dir() and name not in {NAME, PAGE}:
            yield name, path


def _utf8(name: str) -> str:
    """A name as JSON can hold it, the same under every locale: an ASCII one has surrogates for what it cannot read."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _described(path: Path) -> File:
    try:
        with path.open("rb") as file:
            return File(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}") from error
