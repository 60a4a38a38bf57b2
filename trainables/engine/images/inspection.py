"""The inspection of an image file: usable or not, and its traits.

Files come from strangers, and none may end a run. Only decoders of six plain formats are tried, the
size is read from the head before a pixel is unpacked, and any error of a decoder makes the image a
broken one.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
LEAST_SIDE = 16
MOST_PIXELS = 50_000_000
MOST_BYTES = 50_000_000

# Faults make an image unusable; traits are changed on reading.
FAULTS = ("missing", "refused", "unreachable", "no image", "broken", "tiny", "huge")
TRAITS = ("animated", "greyscale", "palette", "transparent", "cmyk", "16 bits")

# A file that is too large is refused by its size here, not with a warning on the screen.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_MODES = {"L": "greyscale", "LA": "greyscale", "1": "greyscale", "P": "palette", "CMYK": "cmyk"}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Findings about an image file.

    Attributes:
        fault: Name out of FAULTS; None for an image that is used.
        detail: Explanation for the reader of the report.
        traits: Names out of TRAITS.
        width: Number of pixels; 0 where it is not known.
        height: Number of pixels.
        digest: Hash (sha256) of the file; empty where there is none, or it is unusable.
    """

    fault: str | None = None
    detail: str = ""
    traits: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Inspection:
        """Return the inspection that `to_json` wrote."""
        return cls(**{**value, "traits": tuple(value["traits"])})


def inspect_image(path: Path) -> Inspection:
    """Read an image file to its last pixel."""
    try:
        if not path.is_file():
            return Inspection(fault="missing", detail="there is no such file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            return Inspection(
                fault="huge", detail=f"{size:,} bytes, at most {MOST_BYTES:,} are read"
            )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _inspect(path, digest)
    except OSError as error:
        return Inspection(fault="broken", detail=f"it cannot be read: {error}")


def _inspect(path: Path, digest: str) -> Inspection:
    try:
        with _opened(path) as image:
            width, height = image.size
            if min(width, height) < LEAST_SIDE:
                detail = f"{width} x {height} pixels"
                return Inspection(fault="tiny", detail=detail, width=width, height=height)
            if width * height > MOST_PIXELS:
                detail = f"{width:,} x {height:,} pixels"
                return Inspection(fault="huge", detail=detail, width=width, height=height)
            traits = _traits(image)
            image.load()
    except UnidentifiedImageError:
        return Inspection(fault="no image", detail=f"it is none of {', '.join(FORMATS)}")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return Inspection(fault="huge", detail=str(error))
    except Exception as error:  # decoders raise a dozen types on damaged files
        return Inspection(fault="broken", detail=f"{type(error).__name__}: {error}"[:200])
    return Inspection(traits=traits, digest=digest, width=width, height=height)


def _opened(path: Path) -> Image.Image:
    return Image.open(path, formats=FORMATS)


def _traits(image: Image.Image) -> tuple[str, ...]:
    traits = []
    if getattr(image, "n_frames", 1) > 1:
        traits.append("animated")
    if image.mode in _MODES:
        traits.append(_MODES[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        traits.append("transparent")
    if image.mode.startswith("I"):
        traits.append("16 bits")
    return tuple(traits)


def read_rgb(path: Path) -> Image.Image:
    """Return the first frame of an image as RGB.

    It is turned upright, and white stands where it is transparent.

    Raises:
        OSError: if the file is no longer the image that was inspected.
    """
    try:
        with _opened(path) as opened:
            if opened.size[0] * opened.size[1] > MOST_PIXELS:
                raise OSError(f"{path} is too large: {opened.size}")
            opened.seek(0)
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):
                # 16 bits of grey: to 8, where Pillow's own conversion would cut off at 255.
                image = image.point(lambda value: value / 257).convert("L")
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                layer = image.convert("RGBA")
                white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
                return Image.alpha_composite(white, layer).convert("RGB")
            return image.convert("RGB")
    except OSError:
        raise
    except Exception as error:  # as in `inspect_image`
        raise OSError(f"{path} cannot be decoded: {error}") from error
