"""Adapters come back from a folder of peft, on the encoder that they were trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from tests import factories
from tests.trainables.tasks import task_of_reviews
from trainables.engine.datasets.load import load_data
from trainables.engine.models import pretrained
from trainables.engine.refit import saved_adapters, saved_model
from trainables.engine.refit.network import FinalNetwork, train

pytest.importorskip("peft")
# peft asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
TEXTS = ["the film was great", "a dull story", "superb", "the end was awful and cold and poor"]
KINDS: dict[str, dict[str, Any]] = {
    "stock, first token": {"pooling": "cls", "lora_rank_stabilised": True},
    "stock, pooler": {"pooling": "pooler", "lora_targets": "all-linear"},
    "own code": {"pooling": "mean", "lora_targets": "attention"},
    "own code, top block": {"pooling": "mean", "trainable_blocks": 1},
    "stock, top block": {"pooling": "cls", "trainable_blocks": 1},
}


def trained(reviews: Path, encoder: Path, **change: Any) -> FinalNetwork:
    """A network whose adapters changed what it says."""
    task = task_of_reviews("triple_entropy", encoder, reviews)
    given = {"epochs": 2, "learning_rate": 0.02, "lora_rank": 3, "lora_alpha": 2.0, **change}
    return train(task, load_data(task.data), factories.config("triple_entropy", **given), seed=2)


def probabilities(model: Any, folder: Path) -> np.ndarray[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    given = tokenizer(TEXTS, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        found: np.ndarray[Any, Any] = model.eval()(**given).logits.softmax(-1).numpy()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_says_what_the_network_says(
    kind: str, reviews: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    from peft import AutoPeftModelForSequenceClassification

    network = trained(reviews, tiny_encoder, **KINDS[kind])
    stock = saved_model.is_stock(network)
    assert stock == kind.startswith("stock")
    saved_model.save(network, tmp_path)  # weights of before, which must not be read
    saved_adapters.save(network, tmp_path)
    names = {file.name for file in tmp_path.iterdir()}
    assert "model.safetensors" not in names
    assert names >= {"adapter_config.json", "adapter_model.safetensors", "tokenizer_config.json"}
    details = json.loads((tmp_path / "classifier.json").read_text(encoding="utf-8"))
    labels = {int(number): name for number, name in details["id2label"].items()}
    assert tuple(labels.values()) == network.label_names
    if stock:
        model: Any = AutoPeftModelForSequenceClassification.from_pretrained(
            tmp_path, id2label=labels
        )
        assert names.isdisjoint({"config.json", "modeling.py", "head.safetensors"})
    else:
        model = AutoModelForSequenceClassification.from_pretrained(tmp_path, trust_remote_code=True)
        with pytest.raises(ValueError, match=r"trust_remote_code|foldrace-pooled"):
            AutoModelForSequenceClassification.from_pretrained(tmp_path, trust_remote_code=False)
        with pytest.raises(ValueError, match="Expected target PEFT class"):
            AutoPeftModelForSequenceClassification.from_pretrained(tmp_path)
    assert model.config.id2label == labels
    np.testing.assert_allclose(
        probabilities(model, tmp_path), network.probabilities(TEXTS), atol=2e-5
    )


def test_the_encoder_alone_is_peft_s_own(reviews: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    network = trained(reviews, tiny_encoder, pooling="mean")
    saved_adapters.save(network, tmp_path)
    original = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    inputs = AutoTokenizer.from_pretrained(tmp_path)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = original.eval()(**inputs).last_hidden_state
        adapted = PeftModel.from_pretrained(original, tmp_path).eval()(**inputs).last_hidden_state
        merged = network.encoder.cpu().eval()(**inputs).last_hidden_state
    torch.testing.assert_close(adapted, merged, rtol=1e-4, atol=1e-5)
    assert (plain - merged).abs().max() > 1e-2


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_whole_weights_take_the_place_of_adapters(
    pooling: str, reviews: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    network = trained(reviews, tiny_encoder, pooling=pooling)
    saved_adapters.save(network, tmp_path)
    saved_model.save(network, tmp_path)
    assert not list(tmp_path.glob("adapter_*"))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path, trust_remote_code=True)
    np.testing.assert_allclose(
        probabilities(model, tmp_path), network.probabilities(TEXTS), atol=2e-5
    )


def test_a_folder_is_named_by_its_place_and_the_digests_of_its_weights(tiny_encoder: Path) -> None:
    base = saved_adapters.base_of(str(tiny_encoder))
    assert (base.place, base.name) == (str(tiny_encoder.resolve()), tiny_encoder.name)
    assert not base.on_hub
    assert list(base.digests) == ["model.safetensors"]


def test_a_model_of_the_hub_is_named_by_its_id_and_commit(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "snapshots" / ("0123456789" * 4)
    monkeypatch.setattr(pretrained, "locate", lambda reference: snapshot)
    for reference in ("roberta-base", "FacebookAI/roberta-base"):
        base = saved_adapters.base_of(reference)
        assert base.on_hub
        assert (base.place, base.revision) == ("FacebookAI/roberta-base", snapshot.name)
