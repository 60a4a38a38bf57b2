"""Frozen features of rows of two texts and two images.

Each distinct text and image is read once. Embeddings are kept as they are made (see
`embedding_store.py`), so that a kill costs a second of work, and rows that share texts or images,
or configs that share a tower, share them.
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
from torch import Tensor, nn

from trainables.engine.arrays import AnyArray, BoolArray, ByteArray, Float32Array, IntArray
from trainables.engine.errors import DataError
from trainables.engine.features.embedding_store import filled
from trainables.engine.features.pair_layout import Layout
from trainables.engine.features.representation import TASKS_MODEL, Parts, Progress, Representation
from trainables.engine.images.inspection import read_rgb
from trainables.engine.model_checks.foreign_errors import refused
from trainables.engine.models import pretrained, towers
from trainables.engine.progress import Ticker
from trainables.engine.text_data import ImageRef, TextData

_TEXTS_AT_ONCE = 64
# On a host more images at once give layers that fit no cache, in memory that malloc returns.
_IMAGES_AT_ONCE = {"cpu": 4, "cuda": 128}
_DECODERS = 4
_TRIAL_TOKENS = 8
_ADVICE = "fetch it anew, or give another."


@dataclass(frozen=True, kw_only=True)
class PairEmbeddings:
    """A representation of two texts, two images, or both; see `representation.Fixed`.

    Attributes:
        about: Description in a line.
        paper: See `representation.Card`.
        uses_encoder: True: the task's model may be one of the towers.
    """

    about: str
    paper: tuple[str, float] | None = None
    uses_encoder: bool = True

    def check_models(self, data: TextData, model: str, representation: Representation) -> None:
        """Refuse models without the towers that read the rows, with a ModelError."""
        check_towers(*encoders(representation, model, data))

    def extract(
        self, data: TextData, model: str, representation: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Extract features of every row, (rows, layout.total); report widths and rates."""
        text, image = encoders(representation, model, data)
        facts: dict[str, float] = {"text_width": 0.0, "image_width": 0.0}
        texts = images = absent = None
        if text is not None:
            embedded, facts["texts_per_s"] = embedded_texts(
                data, text, int(representation.max_length or 0), bool(representation.latin_only)
            )
            texts = torch.from_numpy(embedded)
            facts["text_width"] = float(texts.shape[-1])
        if image is not None:
            values, missing, facts["images_per_s"] = embedded_images(data, image)
            images, absent = torch.from_numpy(values), torch.from_numpy(missing)
            facts["image_width"] = float(images.shape[-1])
            facts["missing_share"] = float(missing.mean())
        progress(len(data), len(data))
        return Layout.of(facts).join(texts, images, absent).numpy(), facts

    def layout(self, facts: Mapping[str, float]) -> Layout:
        """Layout of a row."""
        return Layout.of(facts)

    def parts(
        self, texts: Sequence[str], model: str, representation: Representation
    ) -> Iterator[Parts] | None:
        """Return None: the features are no sum over words."""
        return None


def encoders(
    representation: Representation, model: str, data: TextData
) -> tuple[str | None, str | None]:
    """References of the towers for texts and images, or None.

    A representation that names neither takes the model for both, and images only where there are.
    """
    text, image = representation.text_encoder, representation.image_encoder
    if text is None and image is None:
        text, image = TASKS_MODEL, None if data.images is None else TASKS_MODEL
    return (
        model if text == TASKS_MODEL else text,
        model if image == TASKS_MODEL else image,
    )


def check_towers(text: str | None, image: str | None) -> None:
    """Refuse models without the towers that read texts and images.

    Raises:
        ModelError: naming the model, the fault, and the way out.
    """
    if text is not None:
        tower = towers.text_tower(text)
        with refused(f"Model {text!r} cannot read a plain text", _ADVICE), torch.inference_mode():
            tokens = towers.tokenised(text, ["a trial of words"], _TRIAL_TOKENS)
            tower({name: value.to(_place(tower)) for name, value in tokens.items()})
    if image is not None:
        looking = towers.image_tower(image)
        with refused(f"Model {image!r} cannot look at an image", _ADVICE), torch.inference_mode():
            blank = looking.preparation.pixels(Image.new("RGB", (64, 64)))
            looking(torch.from_numpy(blank[None]).to(_place(looking)))


def latin_only(text: str) -> str:
    """Remove letters (and their marks) of other scripts than the Latin."""
    chars, latin = [], True
    for char in text:
        kind = unicodedata.category(char)
        if kind[0] == "L":
            latin = "LATIN" in unicodedata.name(char, "")
        if kind[0] not in "LM" or latin:
            chars.append(char)
    return " ".join("".join(chars).split())


def seconds_of(data: TextData) -> Sequence[str]:
    """Second texts of all rows.

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
    return [image for pair in data.images for image in pair]


def pairs_of_texts(data: TextData, latin: bool) -> list[str]:
    """Both texts of each row, row by row."""
    pairs = zip(data.texts, seconds_of(data), strict=True)
    texts = [text for pair in pairs for text in pair]
    return [latin_only(text) for text in texts] if latin else texts


def embedded_texts(
    data: TextData, reference: str, max_length: int, latin: bool
) -> tuple[Float32Array, float]:
    """Embed both texts of each row, (rows, 2, width); return the rate."""
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
        output: Tensor = tower({name: value.to(device) for name, value in tokens.items()})
        vectors: Float32Array = output.float().cpu().numpy()
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
    """Embed both images of each row.

    Returns:
        (rows, 2, width), the mask of missing ones, bool (rows, 2), and images a second.
    """
    images = images_of(data)
    device = _device()
    tower = towers.image_tower(reference).to(device).eval()

    @torch.inference_mode()
    def make(some: Sequence[ImageRef]) -> Float32Array:
        pixels = torch.from_numpy(decoded(some, tower.preparation)).to(device)
        vectors: Float32Array = tower(pixels).float().cpu().numpy()
        return vectors

    if not any(images):
        blank = tower.preparation.pixels(Image.new("RGB", (64, 64)))
        with torch.inference_mode():
            width = tower(torch.from_numpy(blank[None]).to(device)).shape[-1]
        nothing = np.ones((len(data), 2), np.bool_)
        return np.zeros((len(data), 2, width), np.float32), nothing, 0.0
    stored, places, rate = _of_images(images, reference, "images", make)
    missing = places < 0
    values = np.array(stored[np.maximum(places, 0)])
    values[missing] = 0.0
    return values.reshape(len(data), 2, -1), missing.reshape(-1, 2), rate


def stored_pixels(data: TextData, reference: str) -> tuple[Any, IntArray]:
    """Prepare the pixels of all distinct images, on disk.

    Returns:
        uint8 (images, 3, height, width), memory-mapped, and the place of each row's images among
        them, int64 (rows, 2), -1 for none.
    """
    preparation = towers.image_tower(reference).preparation

    def make(some: Sequence[ImageRef]) -> ByteArray:
        return decoded(some, preparation)

    stored, places, _ = _of_images(images_of(data), reference, "pixels", make)
    return stored, places.reshape(-1, 2)


def _of_images(
    images: list[ImageRef | None],
    reference: str,
    kind: str,
    make: Callable[[Sequence[ImageRef]], AnyArray],
) -> tuple[AnyArray, IntArray, float]:
    """Make a row for each distinct image.

    Returns:
        The rows, the place of each image among them, and images a second.
    """
    distinct = {image.digest: image for image in images if image is not None}
    items = [distinct[digest] for digest in sorted(distinct)]
    key = {
        "kind": kind,
        "model": pretrained.model_fingerprint(reference),
        "items": sorted(distinct),
    }
    ticker = Ticker(f"{kind} for {Path(reference).name}", "images")
    stored, rate = filled(key, items, make, _IMAGES_AT_ONCE[_device()], ticker)
    ticker.end(len(items))
    place = {image.digest: i for i, image in enumerate(items)}
    places = np.array([-1 if image is None else place[image.digest] for image in images], np.int64)
    return stored, places, rate


def decoded(some: Sequence[ImageRef], preparation: Any) -> ByteArray:
    """Decode and prepare images, uint8 (images, 3, height, width).

    Raises:
        DataError: if a file is no longer the image that was inspected.
    """

    def decode(image: ImageRef) -> ByteArray:
        try:
            pixels: ByteArray = preparation.pixels(read_rgb(Path(image.path)))
        except OSError as error:
            raise DataError(
                f"Image {image.path} was sound when the data were read, and is not now: {error}. "
                "Put it back, or start again."
            ) from error
        return pixels

    with ThreadPoolExecutor(_DECODERS) as pool:
        return np.stack(list(pool.map(decode, some)))


def _place(tower: nn.Module) -> torch.device:
    """Return the device of a kept tower, which may have been moved."""
    return next(tower.parameters()).device


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
