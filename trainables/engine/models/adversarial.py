"""Virtual adversarial views of texts.

The embeddings of a text are changed a little, where it moves the text's vector most.

Virtual Adversarial Training (Miyato et al., TPAMI 2018), equations 5 and 8 to 10, one step of the
power iteration, with 1 - cosine for the divergence of outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

# Length of the random change at which the direction is looked for: Miyato's xi.
_XI = 1e-2

Inputs = dict[str, Tensor]


def view(
    inputs: Mapping[str, Tensor],
    embeddings: nn.Module,
    vectors: Callable[[Inputs], Tensor],
    length: float,
) -> Inputs:
    """Return inputs with adversarial embeddings.

    Args:
        inputs: Output of the tokenizer, or states in `inputs_embeds`.
        embeddings: The encoder's word embeddings.
        vectors: Maps inputs to a vector a text, (rows, width).
        length: Length of a text's change, over all its tokens: Miyato's epsilon.
    """
    others = {n: v for n, v in inputs.items() if n not in ("input_ids", "inputs_embeds")}
    states = inputs.get("inputs_embeds")
    if states is None:
        states = embeddings(inputs["input_ids"])
    real = inputs["attention_mask"].reshape(*states.shape[:2], 1).to(states.dtype)
    fixed = states.detach()
    with torch.no_grad():
        before = vectors({**others, "inputs_embeds": fixed})
    change = _scaled(torch.randn_like(fixed) * real, _XI).requires_grad_()
    with torch.enable_grad():
        after = vectors({**others, "inputs_embeds": fixed + change})
        apart = (1 - functional.cosine_similarity(before, after, dim=-1)).sum()
        (slope,) = torch.autograd.grad(apart, change)
    return {**others, "inputs_embeds": states + _scaled(slope.detach() * real, length)}


def _scaled(change: Tensor, length: float) -> Tensor:
    """Return a change of a length in each row."""
    norm = change.flatten(1).norm(dim=1).clamp(min=torch.finfo(change.dtype).tiny)
    scaled: Tensor = change * (length / norm)[:, None, None]
    return scaled
