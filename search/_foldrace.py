"""First module of the console script, installed as `foldrace`.

No other package has this name.

`search`, `spaces` and `trainables` are common names: PYTHONPATH, a folder or another package may
have them, too. This takes ours from where they were installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NoReturn


def _places() -> Iterator[Path]:
    here = Path(__file__).resolve().parent
    yield here
    for link in sorted(here.glob("*foldrace*.pth")):  # of an editable install: names the checkout
        yield from map(Path, link.read_text(encoding="utf-8").splitlines())


def script() -> NoReturn:
    """`foldrace`."""
    starts = [place / "search" / "__init__.py" for place in _places()]
    start = next((path for path in starts if path.is_file()), starts[0])
    spec = spec_from_file_location("search", start, submodule_search_locations=[str(start.parent)])
    if not start.is_file() or spec is None or spec.loader is None:
        sys.exit(f"foldrace is not installed whole, there is no {start}: pip install it again.")
    sys.modules["search"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["search"])
    from search.cli import script as run

    run()


if __name__ == "__main__":
    script()
