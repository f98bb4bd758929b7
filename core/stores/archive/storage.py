"""The place where archives are kept: any URL that fsspec knows, through one small interface.

What a file system raises becomes an ``ArchiveError`` that names the place and shows no credentials. On
a disk of this machine, what counts as written has been flushed to the medium: rows are deleted for it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from pydantic import Secret, SecretStr

from logweir.errors import ArchiveError, ConfigError, ConfigProblem, LogweirError, MissingDependency
from logweir.redaction.messages import mask
from logweir.redaction.reasons import masked
from logweir.settings.retention import check_archive_url

__all__ = ["NewFile", "Storage", "unfinished_name"]

#: Stores in which an object appears whole or not at all, and folders need not be made.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "memory"}
_LOCAL = {"file", "local"}
#: Of files of this machine: an archive holds what the store held, and that is private by default.
_PRIVATE = 0o600


class Storage:
    """A folder of archives.

    Args:
        url: The folder: a path, or a URL such as ``s3://bucket/audit``.
        options: What fsspec needs to reach it; never shown.

    Raises:
        ConfigError: The URL cannot be understood.
        MissingDependency: fsspec, or its driver for this URL, is not installed.
    """

    def __init__(self, url: str, options: Mapping[str, Secret[Any]] | None = None) -> None:
        self.url = url.rstrip("/") or url
        plain = {name: _revealed(value) for name, value in (options or {}).items()}
        self._secrets = list(_texts(plain))
        self._fs, self.root = self._connect(plain)
        self.root = self.root.rstrip("/")
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        self._is_local = bool(protocols & _LOCAL)
        self._is_object_store = bool(protocols & _OBJECT_STORES)

    def _connect(self, options: dict[str, Any]) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingDependency("an archive", "archive") from None
        try:
            fs, root = url_to_fs(check_archive_url(self.url), skip_instance_cache=True, **options)
        except ImportError:
            protocol = self.url.partition("://")[0]
            raise MissingDependency(f"an archive at {protocol}://", "archive") from None
        except ValueError as error:
            message = mask(str(error).splitlines()[0], self._secrets)
            raise ConfigError([ConfigProblem(message, file=masked(self.url))]) from None
        except Exception as error:  # noqa: BLE001 - drivers raise whatever they like
            raise self._archive_error(self.url, error) from None
        return fs, str(root)

    @property
    def place(self) -> str:
        """The folder as every process of this machine finds it, whatever its directory; it asks the disk."""
        return os.path.realpath(self.root) if self._is_local else self.url

    # -- names --------------------------------------------------------------------------------------

    def path(self, *parts: str) -> str:
        """The path of something in the folder, as the file system has it."""
        return posixpath.join(self.root, *parts)

    def shown(self, path: str) -> str:
        """The URL of a path, for messages."""
        return self.url + path.removeprefix(self.root)

    def find(self, folder: str, prefix: str, suffix: str) -> list[str]:
        """The paths of the files anywhere below a folder whose names begin and end so, sorted."""
        with self.in_our_terms(folder):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(folder)
            except FileNotFoundError:
                return []
        names = ((path, posixpath.basename(path)) for path in found)
        return sorted(path for path, name in names if name.startswith(prefix) and name.endswith(suffix))

    # -- files --------------------------------------------------------------------------------------

    def create(self, path: str) -> NewFile:
        """Open a new file for writing; it bears its name when it is finished."""
        with self.in_our_terms(path):
            if self._is_object_store:
                return NewFile(self, path, path, self._fs.open(path, "wb"))
            self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
            written = unfinished_name(path)
            file = self._fs.open(written, "wb")
            if self._is_local:
                os.chmod(written, _PRIVATE)  # noqa: PTH101 - paths of fsspec are text
            return NewFile(self, path, written, file)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file for reading."""
        with self.in_our_terms(path), self._fs.open(path, "rb") as file:
            yield file

    def read(self, path: str) -> bytes:
        """Return all of a small file."""
        with self.in_our_terms(path):
            return bytes(self._fs.cat_file(path))

    def write(self, path: str, data: bytes) -> None:
        """Write a small file, so that it is there as a whole or not at all."""
        new = self.create(path)
        try:
            with self.in_our_terms(path):
                new.file.write(data)
            new.finish()
        except BaseException:
            new.abandon()
            raise

    def rename(self, path: str, target: str) -> None:
        """Give a file that is complete its name; on a disk of this machine it is on the medium then."""
        if not self._is_local:
            self._fs.mv(path, target)
            return
        _sync(path)
        os.replace(path, target)  # noqa: PTH105 - paths of fsspec are text
        folder = posixpath.dirname(target)
        while len(folder) >= len(self.root) and folder:
            _sync(folder)
            folder = posixpath.dirname(folder)

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""
        with self.in_our_terms(path), suppress(FileNotFoundError):
            self._fs.rm_file(path)

    # -- errors -------------------------------------------------------------------------------------

    @contextmanager
    def in_our_terms(self, path: str) -> Iterator[None]:
        """Turn what a driver raises into an ``ArchiveError`` about a path."""
        try:
            yield
        except LogweirError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise whatever they like
            raise self._archive_error(self.shown(path), error) from None

    def _archive_error(self, place: str, error: Exception) -> ArchiveError:
        if isinstance(error, FileNotFoundError):
            return ArchiveError(f"{place}: it is not there")
        lines = (getattr(error, "strerror", None) or str(error)).splitlines()
        reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        return ArchiveError(f"{place}: {mask(reason, self._secrets)}")


class NewFile:
    """A file that is being written.

    Attributes:
        path: Its path.
        file: Where to write.
    """

    def __init__(self, storage: Storage, path: str, written: str, file: IO[bytes]) -> None:
        self._storage = storage
        self.path = path
        self.file = file
        self._written = written

    def finish(self) -> None:
        """Close the file and give it its name.

        Raises:
            ArchiveError: It could not be written.
        """
        with self._storage.in_our_terms(self.path):
            self.file.close()
            if self._written != self.path:
                self._storage.rename(self._written, self.path)

    def abandon(self) -> None:
        """Take back what was written; what cannot be is left for the next run."""
        with suppress(Exception):
            discard = getattr(self.file, "discard", None)
            if discard is not None and not self.file.closed:
                discard()  # an upload that is not completed leaves nothing
        with suppress(Exception):
            self.file.close()
        with suppress(Exception):
            self._storage.remove(self._written)


def unfinished_name(path: str) -> str:
    """What a file is called while it is being written, where it would be seen: nobody takes it for data."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.tmp")


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _revealed(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, Secret | SecretStr) else value


def _texts(value: Any) -> Iterator[str]:
    """Every text in the options; each may be a credential."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
