"""Frozen features of rows of two texts and two images: each distinct text and image read once.

What the towers give is kept as it is made (see `embedding_store.py`), so that a kill costs a second
of work, and rows that share texts or images, or configs that share a tower, share what it gave.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.engine.arrays import AnyArray, BoolArray, ByteArray, Float32Array, IntArray
from trainables.engine.errors import DataError
from trainables.engine.features.embedding_store import filled
from trainables.engine.features.pair_layout import Layout
from trainables.engine.features.representation import TASKS_MODEL, Parts, Progress, Representation
from trainables.engine.images.inspection import read_rgb
from trainables.engine.models import pretrained, towers
from trainables.engine.progress import Ticker
from trainables.engine.text_data import ImageRef, TextData

_TEXTS_AT_ONCE = 64
# On a host more images at once would only give layers that no cache holds and malloc gives back.
_IMAGES_AT_ONCE = {"cpu": 4, "cuda": 128}
_DECODERS = 4


@dataclass(frozen=True, kw_only=True)
class PairEmbeddings:
    """A representation of two texts, two images, or both; see `representation.Fixed`.

    Attributes:
        about: What it is.
        paper: See `representation.Card`.
        uses_encoder: The task's model is one of the towers, or may be.
    """

    about: str
    paper: tuple[str, float] | None = None
    uses_encoder: bool = True

    def extract(
        self, data: TextData, model: str, wanted: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Features of every row, (rows, layout.total); reports widths, and texts and images a s."""
        text, image = encoders(wanted, model, data)
        facts: dict[str, float] = {"text_width": 0.0, "image_width": 0.0}
        texts = images = absent = None
        if text is not None:
            found, facts["texts_per_s"] = embedded_texts(
                data, text, int(wanted.max_length or 0), bool(wanted.latin_only)
            )
            texts = torch.from_numpy(found)
            facts["text_width"] = float(texts.shape[-1])
        if image is not None:
            values, missing, facts["images_per_s"] = embedded_images(data, image)
            images, absent = torch.from_numpy(values), torch.from_numpy(missing)
            facts["image_width"] = float(images.shape[-1])
            facts["missing_share"] = float(missing.mean())
        progress(len(data), len(data))
        return Layout.of(facts).join(texts, images, absent).numpy(), facts

    def layout(self, facts: Mapping[str, float]) -> Layout:
        """Where the parts of a row lie."""
        return Layout.of(facts)

    def parts(
        self, texts: Sequence[str], model: str, wanted: Representation
    ) -> Iterator[Parts] | None:
        """None: the features are no sum over words."""
        return None


def encoders(wanted: Representation, model: str, data: TextData) -> tuple[str | None, str | None]:
    """References of the towers for texts and images, None for what is not looked at.

    A representation that names neither takes the model for both, and images only where there are.
    """
    text, image = wanted.text_encoder, wanted.image_encoder
    if text is None and image is None:
        text, image = TASKS_MODEL, None if data.images is None else TASKS_MODEL
    return (
        model if text == TASKS_MODEL else text,
        model if image == TASKS_MODEL else image,
    )


def latin_only(text: str) -> str:
    """A text without letters (and their marks) of other scripts than the Latin."""
    kept, latin = [], True
    for char in text:
        kind = unicodedata.category(char)
        if kind[0] == "L":
            latin = "LATIN" in unicodedata.name(char, "")
        if kind[0] not in "LM" or latin:
            kept.append(char)
    return " ".join("".join(kept).split())


def seconds_of(data: TextData) -> Sequence[str]:
    """The second texts.

    Raises:
        DataError: if rows are single texts.
    """
    if data.texts_b is None:
        raise DataError(
            f"{data.name} has no second texts: claim and document are a pair, choose the "
            "document's column with --text-b."
        )
    return data.texts_b


def images_of(data: TextData) -> list[ImageRef | None]:
    """Both images of each row, row by row.

    Raises:
        DataError: if rows have no images.
    """
    if data.images is None:
        raise DataError(
            f"{data.name} has no images: name their columns with --image and --image-b, or give "
            "configs that look at texts only with --configs FILE."
        )
    return [one for pair in data.images for one in pair]


def pairs_of_texts(data: TextData, latin: bool) -> list[str]:
    """Both texts of each row, row by row."""
    both = zip(data.texts, seconds_of(data), strict=True)
    texts = [text for pair in both for text in pair]
    return [latin_only(text) for text in texts] if latin else texts


def embedded_texts(
    data: TextData, reference: str, max_length: int, latin: bool
) -> tuple[Float32Array, float]:
    """Vectors of both texts of each row, (rows, 2, width), and texts a second."""
    texts = pairs_of_texts(data, latin)
    distinct = list(dict.fromkeys(texts))
    # Texts of one length together, so that little is padded.
    order = sorted(range(len(distinct)), key=lambda i: (len(distinct[i]), distinct[i]))
    items = [distinct[i] for i in order]
    device = _device()
    tower = towers.text_tower(reference).to(device).eval()

    @torch.inference_mode()
    def make(some: Sequence[str]) -> Float32Array:
        tokens = towers.tokenised(reference, some, max_length)
        given: Tensor = tower({name: value.to(device) for name, value in tokens.items()})
        vectors: Float32Array = given.float().cpu().numpy()
        return vectors

    key = {
        "kind": "texts",
        "model": pretrained.model_fingerprint(reference),
        "max_length": max_length,
        "items": items,
    }
    ticker = Ticker(f"features of texts by {Path(reference).name}")
    stored, rate = filled(key, items, make, _TEXTS_AT_ONCE, ticker)
    ticker.end(len(items))
    place = {text: i for i, text in enumerate(items)}
    at = np.array([place[text] for text in texts])
    return stored[at].reshape(len(data), 2, -1), rate


def embedded_images(data: TextData, reference: str) -> tuple[Float32Array, BoolArray, float]:
    """Vectors of both images of each row, (rows, 2, width), which are missing, images a second."""
    given = images_of(data)
    device = _device()
    tower = towers.image_tower(reference).to(device).eval()

    @torch.inference_mode()
    def make(some: Sequence[ImageRef]) -> Float32Array:
        pixels = torch.from_numpy(decoded(some, tower.preparation)).to(device)
        vectors: Float32Array = tower(pixels).float().cpu().numpy()
        return vectors

    if not any(given):
        blank = tower.preparation.pixels(Image.new("RGB", (64, 64)))
        with torch.inference_mode():
            width = tower(torch.from_numpy(blank[None]).to(device)).shape[-1]
        nothing = np.ones((len(data), 2), np.bool_)
        return np.zeros((len(data), 2, width), np.float32), nothing, 0.0
    stored, places, rate = _of_images(given, reference, "images", make)
    missing = places < 0
    values = np.array(stored[np.maximum(places, 0)])
    values[missing] = 0.0
    return values.reshape(len(data), 2, -1), missing.reshape(-1, 2), rate


def stored_pixels(data: TextData, reference: str) -> tuple[Any, IntArray]:
    """Prepared pixels of all distinct images on disk, and the place of each row's, -1 for none.

    Returns:
        uint8 (images, 3, height, width), memory-mapped; int64 (rows, 2).
    """
    preparation = towers.image_tower(reference).preparation

    def make(some: Sequence[ImageRef]) -> ByteArray:
        return decoded(some, preparation)

    stored, places, _ = _of_images(images_of(data), reference, "pixels", make)
    return stored, places.reshape(-1, 2)


def _of_images(
    given: list[ImageRef | None],
    reference: str,
    kind: str,
    make: Callable[[Sequence[ImageRef]], AnyArray],
) -> tuple[AnyArray, IntArray, float]:
    """Rows of the distinct images, the place of each image among them, and images a second."""
    distinct = {one.digest: one for one in given if one is not None}
    items = [distinct[digest] for digest in sorted(distinct)]
    key = {
        "kind": kind,
        "model": pretrained.model_fingerprint(reference),
        "items": sorted(distinct),
    }
    ticker = Ticker(f"{kind} for {Path(reference).name}", "images")
    stored, rate = filled(key, items, make, _IMAGES_AT_ONCE[_device()], ticker)
    ticker.end(len(items))
    place = {one.digest: i for i, one in enumerate(items)}
    places = np.array([-1 if one is None else place[one.digest] for one in given], np.int64)
    return stored, places, rate


def decoded(some: Sequence[ImageRef], preparation: Any) -> ByteArray:
    """Prepared pixels of some images, uint8 (images, 3, height, width).

    Raises:
        DataError: if a file is no longer the image that was looked at.
    """

    def one(image: ImageRef) -> ByteArray:
        try:
            pixels: ByteArray = preparation.pixels(read_rgb(Path(image.path)))
        except OSError as error:
            raise DataError(
                f"Image {image.path} was sound when the data were read, and is not now: {error}. "
                "Put it back, or start again."
            ) from error
        return pixels

    with ThreadPoolExecutor(_DECODERS) as pool:
        return np.stack(list(pool.map(one, some)))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
