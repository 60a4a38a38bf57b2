"""Builds a set of Factify's form from real texts and images, class by class as it defines them.

    python tests/benchmarks/five_classes.py --out five   # FOLDRACE_DATA names the folder of the
    foldrace run factify --data five/five.csv ...           # sets mrpc, covid_fake_news, mediaeval

    class                    claim and document text            claim and document image
    Support_Multimodal       MRPC, a paraphrase                 the same picture
    Support_Text             MRPC, a paraphrase                 pictures of two events
    Insufficient_Multimodal  MRPC, of two pairs                 the same picture
    Insufficient_Text        MRPC, of two pairs                 pictures of two events
    Refute                   a false claim about COVID-19, and  either, half and half
                             the true tweet nearest to it

"Same picture" is two copies of one picture of MediaEval's Verifying Multimedia Use, each cut (60 to
95% of each side), mirrored or not, made brighter or darker and compressed in its own way: the two
files are never equal. As in Factify, Refute comes from another source than the rest and is easy to
tell. Texts of a class go with pictures by chance: only the relation of a pair tells the class, and
every sentence and picture stands in rows of several classes. A column `split` holds 20% of the rows
as "test", whose pictures are of events that no training row shows.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageEnhance, ImageOps

CLASSES = (
    "Support_Multimodal",
    "Support_Text",
    "Insufficient_Multimodal",
    "Insufficient_Text",
    "Refute",
)
SIDE = 320


def text_pairs(folder: Path, draw: np.random.Generator) -> dict[str, list[tuple[str, str]]]:
    """Shuffled pairs of texts: paraphrases, sentences of two pairs, false claims and true ones."""
    mrpc = pq.read_table(folder / "mrpc.parquet").to_pydict()
    found: dict[str, list[tuple[str, str]]] = {"same": [], "other": [], "false": []}
    for one, two, label in zip(mrpc["text"], mrpc["text_b"], mrpc["label"], strict=True):
        if label:
            found["same"].append((one, two) if draw.random() < 0.5 else (two, one))
    claims, documents = zip(*found["same"], strict=True)
    # Nobody gets their own: a rotation of a shuffled list.
    order = draw.permutation(len(claims))
    turned = zip(order, np.roll(order, 1), strict=True)
    found["other"] = [(claims[one], documents[two]) for one, two in turned]
    covid = pq.read_table(folder / "covid_fake_news.parquet").to_pydict()
    rows = list(zip(covid["text"], covid["label_name"], strict=True))
    # U+FFFD and lists of claims would give the class away by form.
    plain = [(t, name) for t, name in rows if "\ufffd" not in t and t.count("\n") < 3]
    fake = [text for text, name in plain if name == "fake"]
    real = [text for text, name in plain if name == "real"]
    found["false"] = nearest(fake, real)
    for pairs in found.values():
        draw.shuffle(pairs)
    return found


def nearest(claims: list[str], documents: list[str]) -> list[tuple[str, str]]:
    """Each claim with the document of the most similar words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    count = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit(claims + documents)
    near = count.transform(claims) @ count.transform(documents).T
    return [(claims[i], documents[int(near[i].toarray().argmax())]) for i in range(len(claims))]


def pictures(folder: Path) -> dict[str, list[Image.Image]]:
    """Pictures by event: the name of a picture without its number."""
    table = pq.read_table(folder / "mediaeval_images.parquet").to_pydict()
    found: dict[str, list[Image.Image]] = defaultdict(list)
    for name, data in zip(table["image_id"], table["image"], strict=True):
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        found[name.rstrip("0123456789").rstrip("_")].append(image.convert("RGB"))
    return found


def altered(image: Image.Image, draw: np.random.Generator, path: Path) -> None:
    """Write a copy of a picture that is cut, mirrored, lit and compressed in a way of its own."""
    width, height = image.size
    share = draw.uniform(0.6, 0.95, 2)
    size = int(width * share[0]), int(height * share[1])
    left = int(draw.integers(width - size[0] + 1))
    top = int(draw.integers(height - size[1] + 1))
    copy = image.crop((left, top, left + size[0], top + size[1]))
    if draw.random() < 0.5:
        copy = ImageOps.mirror(copy)
    copy.thumbnail((SIDE, SIDE))
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        copy = change(copy).enhance(float(draw.uniform(0.7, 1.3)))
    copy.save(path, "JPEG", quality=int(draw.integers(55, 92)))


def build(source: Path, out: Path, rows: int, copies: int = 8, seed: int = 0) -> Path:
    """Write five.csv and its images.

    Args:
        source: Folder of the Parquet sets.
        out: Where to.
        rows: Rows of each class, at most half of MRPC's paraphrases.
        copies: Altered copies of each picture that rows choose from, at least 2.
        seed: Draws texts, pictures and what is done to them.
    """
    draw = np.random.default_rng(seed)
    texts, by_event = text_pairs(source, draw), pictures(source)
    events = sorted(by_event)
    (out / "images").mkdir(parents=True, exist_ok=True)
    for event in events:
        for number, image in enumerate(by_event[event]):
            for copy in range(copies):
                altered(image, draw, out / named(event, number, copy))
    draw.shuffle(events)
    tested = set(events[: len(events) // 5])
    path = out / "five.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        head = ("Id", "Claim", "Claim_image", "Document", "Document_image", "Category")
        writer.writerow((*head, "Claim OCR", "Document OCR", "split"))
        number = 0
        for label in CLASSES:
            kind = {"S": "same", "I": "other", "R": "false"}[label[0]]
            for place in range(rows):
                same = place % 2 == 0 if label == "Refute" else label.endswith("Multimodal")
                part = "test" if place < rows // 5 else "train"
                own = [event for event in events if (event in tested) == (part == "test")]
                first, second = (own[i] for i in draw.choice(len(own), 2, replace=False))
                one, other = (
                    (event, int(draw.integers(len(by_event[event])))) for event in (first, second)
                )
                claim_copy, document_copy = draw.choice(copies, 2, replace=False)
                claim_image = named(*one, claim_copy)
                document_image = named(*(one if same else other), document_copy)
                claim, document = texts[kind].pop()
                writer.writerow(
                    (number, claim, claim_image, document, document_image, label, "", "", part)
                )
                number += 1
    return path


def named(event: str, picture: int, copy: int) -> str:
    """Where a copy of a picture lies, below the table's folder."""
    return f"images/{event}_{picture}_{copy}.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1200, help="rows of each class (1200)")
    parser.add_argument("--copies", type=int, default=8, help="altered copies of a picture (8)")
    parser.add_argument("--source", type=Path, default=os.environ.get("FOLDRACE_DATA"))
    options = parser.parse_args()
    print(build(Path(options.source), options.out, options.rows, options.copies))


if __name__ == "__main__":
    main()
