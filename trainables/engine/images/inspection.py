"""What an image file is: usable or not, and what has to be put right in it.

Files come from strangers, and nothing here may end a run: only decoders of six plain formats are
tried, the size is read from the head before a pixel is unpacked, and whatever a decoder raises
makes it a broken image.
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

# What makes an image unusable, and what is put right in one that is used.
FAULTS = ("missing", "refused", "unreachable", "no image", "broken", "tiny", "huge")
TRAITS = ("animated", "greyscale", "palette", "transparent", "cmyk", "16 bits")

# A file that is too large is refused by its size here, not with a warning on the screen.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_MODES = {"L": "greyscale", "LA": "greyscale", "1": "greyscale", "P": "palette", "CMYK": "cmyk"}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was found.

    Attributes:
        fault: One of FAULTS, None for an image that is used.
        detail: What a reader of the report should know of it.
        traits: What of TRAITS it has.
        width: Pixels; 0 where that is not known.
        height: Pixels.
        digest: sha256 of the file; empty where there is none, or it is unusable.
    """

    fault: str | None = None
    detail: str = ""
    traits: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Look:
        """The inverse of `to_json`."""
        return cls(**{**value, "traits": tuple(value["traits"])})


def look(path: Path) -> Look:
    """Read an image file to its last pixel and say what it is."""
    try:
        if not path.is_file():
            return Look(fault="missing", detail="there is no such file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            return Look(fault="huge", detail=f"{size:,} bytes, at most {MOST_BYTES:,} are read")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _look(path, digest)
    except OSError as error:
        return Look(fault="broken", detail=f"it cannot be read: {error}")


def _look(path: Path, digest: str) -> Look:
    try:
        with _opened(path) as image:
            width, height = image.size
            if min(width, height) < LEAST_SIDE:
                detail = f"{width} x {height} pixels"
                return Look(fault="tiny", detail=detail, width=width, height=height)
            if width * height > MOST_PIXELS:
                detail = f"{width:,} x {height:,} pixels"
                return Look(fault="huge", detail=detail, width=width, height=height)
            traits = _traits(image)
            image.load()
    except UnidentifiedImageError:
        return Look(fault="no image", detail=f"it is none of {', '.join(FORMATS)}")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return Look(fault="huge", detail=str(error))
    except Exception as error:  # decoders raise a dozen types on damaged files
        return Look(fault="broken", detail=f"{type(error).__name__}: {error}"[:200])
    return Look(traits=traits, digest=digest, width=width, height=height)


def _opened(path: Path) -> Image.Image:
    return Image.open(path, formats=FORMATS)


def _traits(image: Image.Image) -> tuple[str, ...]:
    found = []
    if getattr(image, "n_frames", 1) > 1:
        found.append("animated")
    if image.mode in _MODES:
        found.append(_MODES[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        found.append("transparent")
    if image.mode.startswith("I"):
        found.append("16 bits")
    return tuple(found)


def read_rgb(path: Path) -> Image.Image:
    """The first frame of an image, upright, on white where it is transparent, as RGB.

    Raises:
        OSError: if the file is no longer the image that was looked at.
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
    except Exception as error:  # as in `look`
        raise OSError(f"{path} cannot be decoded: {error}") from error
