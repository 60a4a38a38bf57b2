"""Mirror-BERT: what tunes, what scores, what never sees a label; and the encoder it leaves."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel, BertConfig

from spaces.mirror import SPACE
from tests.trainables.tasks import task_of_reviews
from trainables.analysis import hypersphere
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, DataRef, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError
from trainables.engine.models import pretrained as encoder
from trainables.engine.refit import tuned_encoder
from trainables.engine.splits import folds
from trainables.losses.info_nce import InfoNCELoss
from trainables.mirror import Config, Mirror, build

BERT = BertConfig(
    vocab_size=20,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=24,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def config(reference: str = "mirror", **change: Any) -> dict[str, Any]:
    small = {"max_length": 16, "batch_size": 16}
    if reference != "untuned":
        small["learning_rate"] = 1e-3  # type: ignore[assignment]
    return {**SPACE.complete(SPACE.references[reference]), **small, **change}


def module(**change: Any) -> Mirror:
    with torch.random.fork_rng():
        torch.random.manual_seed(5)
        return build(Config(**config(**change)), AutoModel.from_config(BERT), 3)


def batch() -> tuple[dict[str, Tensor], Tensor]:
    """Three texts, then their second views."""
    ids = torch.randint(5, 20, (6, 6), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return {"input_ids": ids, "attention_mask": mask}, torch.tensor([0, 1, 2])


@pytest.mark.parametrize("positives", [True, False])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_loss_is_info_nce_of_the_pooled_views(pooling: str, positives: bool) -> None:
    made = module(augmentation="masking", pooling=pooling, positives=positives, temperature=0.1)
    inputs, labels = batch()
    tokens = made.encoder.eval()(**inputs).last_hidden_state
    real = inputs["attention_mask"].unsqueeze(-1)
    mean = (tokens * real).sum(dim=1) / real.sum(dim=1)
    pooled = tokens[:, 0] if pooling == "cls" else mean
    want = InfoNCELoss(0.1, positives)(pooled[:3], pooled[3:])
    torch.testing.assert_close(made.train()(inputs, labels).loss, want)
    # Without dropout, and without labels: other labels change nothing.
    torch.testing.assert_close(made(inputs, labels.flip(0)).loss, want)


def test_dropout_is_on_where_it_is_an_augmentation_only() -> None:
    inputs, labels = batch()
    for augmentation, drops in (("both", True), ("dropout", True), ("masking", False)):
        made = module(augmentation=augmentation).train()
        twice = [made(inputs, labels).logits for _ in range(2)]
        assert torch.equal(*twice) != drops
        made.eval()
        assert torch.equal(made(inputs, labels).logits, made(inputs, labels).logits)


def test_heads_are_dropped_in_training_where_nothing_else_is() -> None:
    inputs, labels = batch()
    made = module(augmentation="none", drophead=0.5, masked=1).train()
    assert not torch.equal(*(made(inputs, labels).logits for _ in range(2)))
    assert not made.encoder.training
    made.eval()
    assert torch.equal(*(made(inputs, labels).logits for _ in range(2)))
    plain = module(augmentation="masking").eval()
    assert torch.equal(made(inputs, labels).logits, plain(inputs, labels).logits)
    assert set(made.encoder.state_dict()) == set(plain.encoder.state_dict())


def test_second_views_may_be_adversarial_and_only_they() -> None:
    inputs, labels = batch()
    made = module(augmentation="none", adversarial=2.0).train()
    plain = module(augmentation="masking").train()
    with torch.random.fork_rng():
        torch.random.manual_seed(1)
        moved, still = made(inputs, labels), plain(inputs, labels)
    torch.testing.assert_close(moved.logits[:3], still.logits[:3])
    assert (moved.logits[3:] - still.logits[3:]).abs().amax(dim=1).min() > 0.01
    moved.loss.backward()
    gradient = made.encoder.get_input_embeddings().weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert torch.equal(made.eval()(inputs, labels).logits, plain.eval()(inputs, labels).logits)


def test_adversarial_cells_train(task: Task) -> None:
    given = train(task, cell(config(augmentation="none", adversarial=0.5)))["0"]
    assert given.metrics["uniformity"] < 0


def test_hard_negatives_stand_in_the_denominators() -> None:
    made = module(augmentation="masking", temperature=0.1, negatives="some.csv")
    inputs, labels = batch()
    tokens = made.encoder.eval()(**inputs).last_hidden_state
    real = inputs["attention_mask"].unsqueeze(-1)
    pooled = (tokens * real).sum(dim=1) / real.sum(dim=1)
    want = InfoNCELoss(0.1)(pooled[:2], pooled[2:4], pooled[4:])
    torch.testing.assert_close(made.train()(inputs, labels[:2]).loss, want)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("mirror", tiny_encoder, reviews)


@pytest.fixture
def pairs(reviews: Path, tmp_path: Path) -> Path:
    """Texts of one class are alike, scored by how many words they share."""
    data = load_data(DataRef(name=str(reviews), text="body", label="verdict"))
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "text_b", "score"])
        for a, b in zip(data.texts[:30], data.texts[30:60], strict=True):
            table.writerow([a, b, len(set(a.split()) & set(b.split()))])
    return path


def train(task: Task, *cells: Cell, stack: int = 1) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, stack=stack, threads=1)
    assert [r.error for r in results if r.error] == []
    return {result.key: result for result in results}


def cell(settings: dict[str, Any], fold: int = 0) -> Cell:
    return Cell(key=f"{fold}", config=settings, seed=2, fold=fold)


def test_an_untuned_encoder_is_scored_as_it_came(task: Task, pairs: Path) -> None:
    given = train(task, cell(config("untuned", pairs=str(pairs))))["0"]
    data, network = load_data(task.data), encoder.load_encoder(task.model).eval()
    tokenizer = encoder.load_tokenizer(task.model)

    def features(texts: list[str]) -> np.ndarray:
        found = []
        for text in texts:
            inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=16)
            with torch.no_grad():
                found.append(network(**inputs).last_hidden_state[0].mean(dim=0).numpy())
        return np.stack(found)

    _, held_out = folds.held_out(data, task.split, 2, 0)
    own = features([data.texts[row] for row in held_out])
    want = hypersphere.uniformity(own), hypersphere.alignment(own, data.labels[held_out])
    got = given.metrics["uniformity"], given.metrics["alignment"]
    assert got == pytest.approx(want, rel=1e-4)
    assert given.metrics["anisotropy"] == pytest.approx(hypersphere.anisotropy(own), rel=1e-4)
    with pairs.open() as file:
        rows = list(csv.DictReader(file))
    first, second = (features([row[name] for row in rows]) for name in ("text", "text_b"))
    cosines = (first * second).sum(axis=1)
    cosines /= np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    order = np.argsort(np.argsort(cosines)) - 14.5
    scores = np.array([float(row["score"]) for row in rows])
    # Spearman is Pearson of ranks; ties share the mean of theirs.
    ranks = np.array([np.mean(np.flatnonzero(np.sort(scores) == s)) for s in scores]) - 14.5
    spearman = (order @ ranks) / np.sqrt((order @ order) * (ranks @ ranks))
    assert given.metrics["spearman"] == pytest.approx(spearman, abs=1e-3)


def test_tuning_spreads_texts_over_the_sphere(task: Task) -> None:
    results = {
        name: train(task, cell(config(name, epochs=1 if name == "untuned" else 4)))["0"]
        for name in ("untuned", "mirror", "no-positives")
    }
    uniformity = {name: result.metrics["uniformity"] for name, result in results.items()}
    assert uniformity["mirror"] < uniformity["untuned"] - 0.5
    assert uniformity["no-positives"] < uniformity["untuned"] - 0.5
    curve = [epoch["uniformity"] for epoch in results["mirror"].epochs]
    assert len(curve) == 4
    assert results["mirror"].metrics["uniformity"] == curve[-1]
    assert results["mirror"].metrics["accuracy"] > 0.7


def test_synonyms_are_positives_too(task: Task, tmp_path: Path) -> None:
    data = load_data(task.data)
    words = sorted({word for text in data.texts[:200] for word in text.split() if word.isalpha()})
    file = tmp_path / "synonyms.csv"
    rows = [f"{word},{other}" for word, other in pairwise(words)]
    file.write_text("\n".join(["text,text_b", *rows]))
    settings = config(positive="synonyms", synonyms=str(file), augmentation="none")
    one, other = (train(task, Cell(key="a", config=settings, seed=s, fold=0))["a"] for s in (2, 16))
    assert one.metrics["uniformity"] != other.metrics["uniformity"]
    with pytest.raises(ConfigError, match="synonyms a file where positive=synonyms, got None"):
        Config(**config(positive="synonyms"))


def test_triples_tune_and_a_lexicon_judges(task: Task, tmp_path: Path) -> None:
    data = load_data(task.data)
    names = ("negatives", "lexicon")
    files = [tmp_path / f"{name}.csv" for name in names]
    for file, shift in zip(files, (7, 0), strict=True):
        with file.open("w", newline="") as opened:
            table = csv.writer(opened)
            table.writerow(["text", "text_b"])
            rows = range(len(data.texts)) if shift else range(20)
            table.writerows((data.texts[r], data.texts[r - shift]) for r in rows)
    settings = config(negatives=str(files[0]), pairs=str(files[1]))
    given = train(task, cell(settings))["0"]
    # Each text is its own nearest neighbour, but for one that the data hold twice in other words.
    assert given.metrics["accuracy_at_1"] > 0.8
    assert given.metrics["reciprocal_rank"] >= given.metrics["accuracy_at_1"]
    assert "spearman" not in given.metrics


@pytest.mark.parametrize("reference", ["mirror", "masking-only", "random-strings", "drophead"])
def test_a_stack_gives_what_each_cell_gives_alone(task: Task, pairs: Path, reference: str) -> None:
    cells = [
        cell(config(reference, pairs=str(pairs), temperature=heat), fold)
        for fold, heat in ((0, 0.04), (1, 0.2))
    ]
    together = train(task, *cells, stack=2)
    for one in cells:
        alone, other = train(task, one)[one.key], together[one.key]
        np.testing.assert_array_equal(alone.rows, other.rows)
        for name in ("uniformity", "alignment", "spearman"):
            assert other.metrics[name] == pytest.approx(alone.metrics[name], abs=0.15)
        if reference == "masking-only":  # nothing is drawn: the same but for rounding
            np.testing.assert_allclose(other.probabilities, alone.probabilities, atol=2e-2)


def test_labels_of_training_rows_do_not_tune(task: Task, tmp_path: Path) -> None:
    data = load_data(task.data)
    shuffled = tmp_path / "shuffled.csv"
    with shuffled.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["body", "verdict"])
        names = np.random.default_rng(0).permutation(data.labels)
        for text, label in zip(data.texts, names, strict=True):
            table.writerow([text, data.label_names[label]])
    other = DataRef(name=str(shuffled), text="body", label="verdict")
    kept = tuned_encoder.tune(task, data, config(), seed=2).state_dict()
    again = tuned_encoder.tune(task, load_data(other), config(), seed=2).state_dict()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


@pytest.mark.parametrize("blocks", [None, 1])
def test_the_saved_encoder_is_a_model_of_its_own_weights(
    task: Task, blocks: int | None, tmp_path: Path
) -> None:
    data = load_data(task.data)
    network = tuned_encoder.tune(task, data, config(trainable_blocks=blocks, epochs=2), seed=2)
    tuned_encoder.save(network, task.model, tmp_path / "tuned")
    reference = encoder.resolve_model(str(tmp_path / "tuned"))
    assert encoder.model_fingerprint(reference) != task.model_fingerprint
    before, after = encoder.load_encoder(task.model), encoder.load_encoder(reference)
    moved = {
        name
        for name, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    words = {name for name in moved if "word_embeddings" in name}
    lower = {name for name in moved if "embeddings" in name or "layer.0" in name}
    assert moved
    assert bool(words) == (blocks is None)
    assert bool(lower) == (blocks is None)
    # A word that the data do not hold is as it was.
    unseen = encoder.load_tokenizer(task.model).convert_tokens_to_ids("[MASK]")
    if blocks is None:
        pretrained = before.get_input_embeddings().weight[unseen]
        spared = config(augmentation="dropout")
        other = tuned_encoder.tune(task, data, spared, seed=2)
        assert torch.equal(other.get_input_embeddings().weight[unseen], pretrained)
    inputs = encoder.load_tokenizer(reference)("the film was fine", return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(
            after(**inputs).last_hidden_state, network.eval()(**inputs).last_hidden_state
        )


def test_faults_are_named(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of both, masking, dropout, none, got 'noise'"):
        Config(**config(augmentation="noise"))
    with pytest.raises(ConfigError, match="augmentation other than none, or drophead or adv"):
        Config(**config(augmentation="none"))
    with pytest.raises(ConfigError, match=r"drophead in \[0, 1\), got 1"):
        Config(**config(drophead=1.0))
    with pytest.raises(ConfigError, match="batch_size at least 2, got 1"):
        Config(**config(batch_size=1))
    results: list[CellResult] = []
    wrong = tmp_path / "pairs.csv"
    wrong.write_text("text,text_b,score\na,b,high\n")
    runner.train_cells(task, [cell(config(pairs=str(wrong)))], results.append, stack=1)
    assert "a pair's score must be a number, got 'high'" in str(results[0].error)


def test_the_space_has_the_papers_ablations_and_one_untuned_config() -> None:
    assert SPACE.ablation[:2] == ("untuned", "mirror")
    assert len(SPACE) == 72
    untuned = SPACE.keyed(SPACE.active(SPACE.references["untuned"]))
    assert set(untuned) == {"learning_rate", "pairs", "pooling", "max_length", "precision"}
    plain = SPACE.complete(SPACE.references["mirror"])
    assert (plain["learning_rate"], plain["temperature"], plain["masked"]) == (2e-5, 0.04, 5)
    assert "masked" not in SPACE.active(SPACE.references["dropout-only"])
