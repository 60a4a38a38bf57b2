"""An encoder that a sweep tuned is kept with it, and is the start of another sweep."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from search.errors import InputError
from search.planning import model_reference
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from search.tracking.open import connect
from tests.integration.sweep_shell import Shell
from trainables.engine.contract import DataRef
from trainables.engine.models import pretrained

pytestmark = pytest.mark.integration


def test_a_finished_mirror_sweep_is_a_model(
    tmp_path: Path, tiny_encoder: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path, tiny_encoder, reviews)
    config = {
        "learning_rate": 5e-5,
        "augmentation": "both",
        "positives": True,
        "temperature": 0.04,
        "random_strings": False,
    }
    (tmp_path / "configs.json").write_text(json.dumps([config]))
    data = ("--data", str(reviews), "--text", "body", "--label", "verdict")
    _, said = shell.run(
        *("run", "mirror", *data, "--model", str(tiny_encoder), "--name", "tuned"),
        *("--configs", "configs.json", "--seeds", "2", "--folds", "2", "--strategy", "grid"),
        *("--fix", "batch_size=16", "--fix", "max_length=16"),
    )
    assert "The encoder is kept with the sweep: --model tuned" in said
    cells = shell.runs("cells")
    assert {run.data.params["learning_rate"] for run in cells} == {"0.0", "5e-05"}
    assert all(run.data.metrics["uniformity"] < 0 for run in cells)

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    (sweep,) = shell.runs("sweeps")
    folder = model_reference.resolve("tuned", uri, "foldrace")
    assert model_reference.resolve("latest", uri, "foldrace") == folder
    assert model_reference.resolve(sweep.info.run_id, uri, "foldrace") == folder
    before = pretrained.load_encoder(str(tiny_encoder)).state_dict()
    after = pretrained.load_encoder(folder).state_dict()
    assert set(before) == set(after)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    # The cells of a sweep that starts from it are keyed by its weights, wherever they lie.
    spec = make_spec(
        space="contrastive",
        data=DataRef(name=str(reviews), text="body", label="verdict"),
        model="tuned",
        name="next",
        tracking_uri=uri,
        configs="reference",
        folds=2,
        seeds=(2,),
    )
    plan, _, _ = prepare(spec)
    assert plan.task.model == plan.spec.model == folder
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    assert plan.task.model_fingerprint == pretrained.model_fingerprint(str(elsewhere))
    assert plan.task.model_fingerprint != pretrained.model_fingerprint(str(tiny_encoder))
    # Gone from the cache, as on another machine: it is fetched again.
    shutil.rmtree(folder)
    assert prepare(plan.spec)[0].task.model_fingerprint == plan.task.model_fingerprint


def test_what_is_no_sweep_with_an_encoder(
    tmp_path: Path, ledger_uri: str, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with connect(ledger_uri, "foldrace", tmp_path / "spool") as ledger:
        ledger.start_sweep("plain", {"spec": {"outer": None}}, {})

    def resolved(reference: str, uri: str = ledger_uri) -> str:
        return model_reference.resolve(reference, uri, "foldrace")

    with pytest.raises(InputError, match="Sweep 'plain' keeps no encoder"):
        resolved("plain")
    assert resolved("minilm") == "minilm"
    assert resolved("electra-base") == "electra-base"
    assert resolved("plain/model") == "plain/model"
    assert resolved("gpt2") == "gpt2"
    assert resolved(str(tiny_encoder)) == str(tiny_encoder)
    absent = f"sqlite:///{tmp_path}/absent.db"
    assert resolved("plain", absent) == "plain"
    assert not (tmp_path / "absent.db").exists()
