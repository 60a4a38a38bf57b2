"""Virtual adversarial views: how far they go, and that no other way moves a vector more."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.models import adversarial

WIDTH, LENGTH = 5, 0.01


def test_the_change_is_the_worst_of_its_length() -> None:
    torch.manual_seed(0)
    words = nn.Embedding(9, WIDTH).double()
    mixing = torch.randn(WIDTH, WIDTH, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])

    def vectors(inputs: dict[str, Tensor]) -> Tensor:
        real = inputs["attention_mask"].unsqueeze(-1)
        return torch.tanh((inputs["inputs_embeds"] * real).sum(dim=1) @ mixing)

    inputs = {"input_ids": torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]]), "attention_mask": mask}
    states = words(inputs["input_ids"]).detach()
    before = vectors({**inputs, "inputs_embeds": states})

    def apart(change: Tensor) -> Tensor:
        after = vectors({**inputs, "inputs_embeds": states + change})
        return 1 - functional.cosine_similarity(before, after, dim=-1)

    moved = adversarial.view(inputs, words, vectors, LENGTH)["inputs_embeds"].detach()
    change = moved - states
    norms = change.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.full_like(norms, LENGTH))
    assert (change[0, 3] == 0).all(), "padding is not moved"
    drawn = torch.randn(400, *states.shape, dtype=torch.float64) * mask[..., None]
    drawn *= LENGTH / drawn.flatten(2).norm(dim=2)[..., None, None]
    others = np.array([apart(other).detach().numpy() for other in drawn])
    # One step of the power iteration comes near the worst, not to it.
    assert (apart(change).detach().numpy() > np.quantile(others, 0.9, axis=0)).all()
