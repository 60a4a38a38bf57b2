"""The root of foldrace's errors, and errors of spaces and trainables.

An error of another class is a mistake in the code: it reaches the user as a traceback. Each class
takes one message, so that it passes from process to process. This file imports nothing of the
project.
"""

from __future__ import annotations


class FoldraceError(Exception):
    """An expected failure, with a message for the user.

    Attributes:
        exit_code: Exit code of a command that ends with it.
    """

    exit_code = 1


class InputError(FoldraceError):
    """Bad input, with a message that says how to mend it."""

    exit_code = 2


class SpaceError(InputError):
    """A malformed space, or a config, axis or value outside it."""


class ConfigError(InputError):
    """A config that its trainable or its model does not accept."""


class RegistryError(InputError):
    """An entry that does not exist, or lacks a required definition."""


class DataError(InputError):
    """A data set that cannot be read or used."""


class NoMetadataError(DataError):
    """A config that joins metadata, on data without any."""


class ModelError(InputError):
    """A pretrained model that is missing or unusable."""


class CacheError(InputError):
    """A cache folder that cannot be written."""


class VectorsError(InputError):
    """A file of word vectors that is missing or unreadable."""


class NotServedError(InputError):
    """A config without a network from texts to classes.

    It cannot be saved as a model.
    """


class NoMapError(InputError):
    """A config whose classifier has no class activation map."""


class TaskChangedError(InputError):
    """Data or weights that changed since the sweep was planned."""


class DivergedError(FoldraceError):
    """A loss that is not finite: the cell is over."""


class BrokenCheckpointError(FoldraceError):
    """A saved epoch that could not be loaded.

    The file is gone, and the cell's module must not be used.
    """


class UrlRefusedError(FoldraceError):
    """A URL that must not be fetched."""


class UnreachableError(FoldraceError):
    """A URL that gives no usable image in time."""


class OnnxError(FoldraceError):
    """A model that cannot be written as ONNX, or differs there."""
