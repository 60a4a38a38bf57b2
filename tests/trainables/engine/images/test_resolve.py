"""Images of a table: every kind of file is counted and listed, and none ends a run."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError
from trainables.engine.images import inspection
from trainables.engine.images.inspection import Inspection, inspect_image, read_rgb


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))


def noise(width: int = 40, height: int = 30, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(width * height).integers(0, 255, (height, width, channels))
    return Image.fromarray(values.astype(np.uint8).squeeze())


def truncated(path: Path) -> None:
    noise(200, 200).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:4000])


def huge(path: Path) -> None:
    # A few kilobytes that would unpack to hundreds of megabytes.
    Image.new("1", (20_000, 12_000)).save(path, "PNG")


def animated(path: Path) -> None:
    frames = [noise(40, 30 + i).resize((40, 30)) for i in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def palette(path: Path) -> None:
    noise().convert("P").save(path, "PNG", transparency=0)


def deep(path: Path) -> None:
    values = np.linspace(0, 65535, 1200).reshape(30, 40).astype(np.uint16)
    Image.fromarray(values).save(path, "PNG")


MAKERS: dict[str, tuple[Callable[[Path], object], str | None, tuple[str, ...]]] = {
    "plain.jpg": (lambda p: noise().save(p, "JPEG"), None, ()),
    "grey.png": (lambda p: noise(channels=1).save(p, "PNG"), None, ("greyscale",)),
    "rgba.png": (lambda p: noise(channels=4).save(p, "PNG"), None, ("transparent",)),
    "palette.png": (palette, None, ("palette", "transparent")),
    "cmyk.jpg": (lambda p: noise().convert("CMYK").save(p, "JPEG"), None, ("cmyk",)),
    "deep.png": (deep, None, ("16 bits",)),
    "moving.gif": (animated, None, ("animated", "palette")),
    "tiny.png": (lambda p: noise(8, 300).save(p, "PNG"), "tiny", ()),
    "huge.png": (huge, "huge", ()),
    "cut.jpg": (truncated, "broken", ()),
    "text.jpg": (lambda p: p.write_text("not an image"), "no image", ()),
    "empty.jpg": (lambda p: p.write_bytes(b""), "no image", ()),
    "vector.svg": (
        lambda p: p.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "no image",
        (),
    ),
    "post.eps": (
        lambda p: p.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "no image",
        (),
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_an_image_is(name: str, tmp_path: Path) -> None:
    make, fault, traits = MAKERS[name]
    make(tmp_path / name)
    found = inspect_image(tmp_path / name)
    assert (found.fault, set(traits) <= set(found.traits)) == (fault, True)
    assert bool(found.digest) is (fault is None)
    assert Inspection.from_json(found.to_json()) == found
    if fault is None:
        image = read_rgb(tmp_path / name)
        assert (image.mode, image.size) == ("RGB", (40, 30))
        assert np.ptp(np.asarray(image)) > 100  # there is something to be seen


def test_transparency_is_white_and_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert np.asarray(read_rgb(tmp_path / "clear.png")).min() == 255
    deep(tmp_path / "deep.png")
    values = np.asarray(read_rgb(tmp_path / "deep.png"))
    assert values.min() == 0
    assert values.max() == 255
    assert abs(int(np.median(values)) - 127) <= 1


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise().save(tmp_path / "a.png")
    monkeypatch.setattr(inspection, "MOST_BYTES", 100)
    assert inspect_image(tmp_path / "a.png").fault == "huge"


@pytest.mark.parametrize("name", ["plain.jpg", "rgba.png", "moving.gif", "deep.png"])
def test_no_damage_ends_a_run(name: str, tmp_path: Path) -> None:
    MAKERS[name][0](tmp_path / name)
    sound, draw = (tmp_path / name).read_bytes(), random.Random(3)
    for _ in range(40):
        broken = bytearray(sound)
        for _ in range(draw.randint(1, 8)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path = tmp_path / "broken"
        path.write_bytes(bytes(broken[: draw.randint(1, len(broken))]))
        if inspect_image(path).fault is None:
            assert read_rgb(path).mode == "RGB"


def table(folder: Path, references: list[tuple[str, str]]) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        head = ("Claim", "Claim_image", "Document", "Document_image", "Category")
        writer.writerow((*head, "Claim OCR", "Document OCR"))
        for number, (one, two) in enumerate(references):
            label = ("Refute", "Support_Text")[number % 2]
            writer.writerow((f"claim {number}", one, f"document {number}", two, label, "x", "y"))
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """All kinds of images as claims, in a folder of their own, and what leads out of it."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, (make, _, _) in MAKERS.items():
        make(folder / name)
    noise(50, 50).save(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    noise(33, 44).save(folder / "document.png")
    odd = ["", "nowhere.jpg", "../outside.png", str(tmp_path / "outside.png"), "link.png"]
    odd += ["file:///etc/passwd", "http://127.0.0.1/a.jpg", "x" * 5000]
    return table(folder, [(name, "document.png") for name in [*MAKERS, *odd]])


def test_factifys_own_columns_need_no_flags_and_every_image_is_counted(pairs: Path) -> None:
    data = load_data(DataRef(name=str(pairs)))
    assert data.texts[0] == "claim 0"
    assert data.label_names == ("Support_Text", "Refute")  # in the order of the paper
    assert data.texts_b is not None
    assert data.images is not None
    usable = [pair[0] is not None for pair in data.images]
    assert usable == [fault is None for _, fault, _ in MAKERS.values()] + [False] * 8
    assert all(pair[1] is not None for pair in data.images)
    note = next(note for note in data.notes if note.startswith("images: "))
    assert f"{7 + len(data)} of {2 * len(data)} usable" in note
    for part in ("4 no image", "2 broken", "1 tiny", "1 huge", "2 missing", "1 animated"):
        assert part in note, note
    assert "5 refused" in note, note
    report = Path(re.search(r"listed in (.*)", note)[1])  # type: ignore[index]
    with report.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["fault"] for row in rows} >= {"broken", "huge", "refused", "missing", ""}
    assert next(row for row in rows if row["reference"] == "link.png")["detail"] == (
        "the path leaves the table's folder"
    )
    assert "a vector that is learned" in " ".join(data.notes)


def test_rows_with_an_unusable_image_are_left_out_by_choice(pairs: Path) -> None:
    kept = load_data(DataRef(name=str(pairs), bad_images="drop"))
    assert len(kept) == 7
    assert kept.images is not None
    assert all(None not in pair for pair in kept.images)
    assert kept.dropped == len(MAKERS) + 8 - 7
    with pytest.raises(ValueError, match="bad_images must be missing or drop, got 'skip'"):
        DataRef(name=str(pairs), bad_images="skip")  # type: ignore[arg-type]


def test_any_table_has_roles_by_flags(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    path = tmp_path / "mine.csv"
    path.write_text("q,pic,label\none,a.png,x\ntwo,a.png,y\nthree,,x\n", encoding="utf-8")
    ref = DataRef(name=str(path), text="q", image="pic")
    data = load_data(ref)
    assert data.images is not None
    assert [pair[0] is None for pair in data.images] == [False, False, True]
    assert load_data(replace(ref, image=None)).images is None
    with pytest.raises(DataError, match=r"no column 'pik'\. Did you mean 'pic'.*--image"):
        load_data(replace(ref, image="pik"))
    with pytest.raises(DataError, match="choose that with --text-b"):
        load_data(replace(ref, image_b="pic"))


def test_what_an_image_shows_is_part_of_the_fingerprint_and_its_place_is_not(
    tmp_path: Path,
) -> None:
    def made(folder: str, image: Image.Image) -> str:
        (tmp_path / folder).mkdir()
        image.save(tmp_path / folder / "a.png")
        return load_data(
            DataRef(name=str(table(tmp_path / folder, [("a.png", "a.png")] * 2)))
        ).fingerprint

    assert made("one", noise()) == made("two", noise())
    assert made("three", noise(41, 30)) != made("four", noise())


def test_a_table_without_one_usable_image_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, [("no.png", ""), ("", "no.png")])
    with pytest.raises(DataError, match=r"no usable image: 0 of 4 usable, 4 missing.*'no.png'"):
        load_data(DataRef(name=str(path)))


def test_subsets_and_cleaning_keep_each_rows_images(tmp_path: Path) -> None:
    names = []
    for number in range(8):
        noise(20 + number, 20).save(tmp_path / f"{number}.png")
        names.append((f"{number}.png", f"{number}.png"))
    path = table(tmp_path, names)
    data = load_data(DataRef(name=str(path), subset=4, cleaning=("punctuation",)))
    assert data.images is not None
    for text, pair in zip(data.texts, data.images, strict=True):
        assert pair[0] is not None
        assert Path(pair[0].path).stem == text.split()[1]


def test_the_official_files_of_factify_are_one_set_with_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets" / "factify2"
    folder.mkdir(parents=True)
    noise().save(folder / "a.png")
    table(folder, [("a.png", "a.png")] * 6).rename(folder / "train.csv")
    table(folder, [("a.png", "a.png")] * 2).rename(folder / "val.csv")
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path / "sets"))
    data = load_data(DataRef(name="factify2"))
    assert data.official is not None
    assert data.official.tolist() == ["train"] * 6 + ["test"] * 2
    assert data.images is not None
    assert data.label_names == ("Support_Text", "Refute")
