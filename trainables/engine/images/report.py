"""The report of a table's images: counts, examples, all faults."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trainables.engine.cache import folder_below, written_whole
from trainables.engine.images.inspection import Inspection
from trainables.engine.images.references import InspectedImages

References = Sequence[tuple[str | None, str | None]]
"""Reference of the claim's and of the document's image by row, None for none."""

_SHOWN = 3


def counts(references: References, images: InspectedImages) -> str:
    """Return the numbers of usable images, faults and traits, in words."""
    tally: Counter[str] = Counter()
    for reference in (reference for pair in references for reference in pair):
        inspection = (
            Inspection(fault="missing") if reference is None else images.inspections[reference]
        )
        tally[inspection.fault or "usable"] += 1
        tally.update(inspection.traits)
    usable = f"{tally.pop('usable', 0):,} of {2 * len(references):,} usable"
    return ", ".join([usable, *(f"{count:,} {name}" for name, count in sorted(tally.items()))])


def examples(references: Sequence[str], images: InspectedImages) -> str:
    """Return the first unusable references, each with its detail."""
    unusable = [ref for ref in references if images.inspections[ref].fault is not None][:_SHOWN]
    return "; ".join(f"{ref[:80]!r}: {images.inspections[ref].detail}" for ref in unusable)


def write_report(name: str, references: References, images: InspectedImages) -> Path:
    """List every image that is unusable or was changed, in a table.

    Args:
        name: Name of the data set.
        references: References by row.
        images: Inspections of all references.

    Returns:
        Path of the table.
    """
    rows = []
    for number, pair in enumerate(references, start=1):
        for role, reference in zip(("claim", "document"), pair, strict=True):
            image = (
                Inspection(fault="missing", detail="no reference")
                if reference is None
                else images.inspections[reference]
            )
            if image.fault is not None or image.traits:
                size = f"{image.width}x{image.height}" if image.width else ""
                fault, traits = image.fault or "", " ".join(image.traits)
                rows.append((number, role, reference or "", fault, traits, size, image.detail))
    plain = "".join(char if char.isalnum() else "-" for char in name)[-60:]
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:8]
    path = folder_below("images") / f"report-{plain}-{digest}.csv"
    if path.is_file():
        return path
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("row", "role", "reference", "fault", "traits", "pixels", "detail"))
    writer.writerows(rows)
    with written_whole(path) as draft:
        draft.write(text.getvalue().encode())
    return path
