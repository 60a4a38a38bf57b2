"""The root of all errors that foldrace raises on purpose, and those of spaces and trainables.

An error of another class is a mistake in the code: it reaches the user as a traceback. Each class
takes one message, so that it passes from process to process. It imports nothing of the project.
"""

from __future__ import annotations


class FoldraceError(Exception):
    """A failure that foldrace has words for.

    Attributes:
        exit_code: Of a command that ends with it.
    """

    exit_code = 1


class InputError(FoldraceError):
    """Bad input: something that the user gave must be mended, and the message says how."""

    exit_code = 2


class SpaceError(InputError):
    """A space that is not well formed, or a config, axis or value that is not of the space."""


class ConfigError(InputError):
    """A config that its trainable, or the model that it is to train, does not accept."""


class RegistryError(InputError):
    """There is no entry of that name, or it lacks what it must define."""


class DataError(InputError):
    """A data set that cannot be read, or lacks what was asked of it."""


class NoMetadataError(DataError):
    """A config joins metadata, and the data have none."""


class ModelError(InputError):
    """A pretrained model that is not there, or cannot be used for what was asked."""


class VectorsError(InputError):
    """A file of word vectors that is not there, or cannot be read."""


class NotServedError(InputError):
    """A config without a network from texts to classes: it cannot be saved as a model."""


class NoMapError(InputError):
    """A config whose classifier has no class activation map."""


class TaskChangedError(InputError):
    """The data or the weights on this machine are not those that the sweep was planned with."""


class DivergedError(FoldraceError):
    """A loss was not finite: the cell is over."""


class BrokenCheckpointError(FoldraceError):
    """A saved epoch could not be taken in. It is gone, and the cell's module is not to be used."""


class UrlRefusedError(FoldraceError):
    """A URL that must not be fetched."""


class UnreachableError(FoldraceError):
    """A URL that gives no image of an allowed size in time."""
