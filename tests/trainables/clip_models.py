"""Small models of CLIP's kind with random weights, as folders on disk, and pairs for them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

WORDS = ["claim", "document", "red", "blue", "green", "\u0926\u093f\u0932\u094d\u0932\u0940"]
SIDE = 32
_SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


def tokenizer(folder: Path, length: int) -> int:
    """Save a tokenizer of whole words; gives its size."""
    words = [*_SPECIAL, *WORDS, *(str(number) for number in range(40))]
    words = [*_SPECIAL[:3], *words[4:], "</s>"]  # CLIP pools at the largest id
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    end = len(words) - 1
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", end)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=length,
    ).save_pretrained(folder)
    return len(words)


def _towers(size: int) -> tuple[dict[str, int], dict[str, int]]:
    shape = {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {**shape, "vocab_size": size, "max_position_embeddings": 12, "projection_dim": 16}
    vision = {**shape, "image_size": SIDE, "patch_size": 8, "projection_dim": 16}
    return text, vision


def clip(folder: Path) -> Path:
    """CLIP, 16 wide, for images of 32 x 32."""
    folder.mkdir(parents=True, exist_ok=True)
    size = tokenizer(folder, 12)
    text, vision = _towers(size)
    text |= {"eos_token_id": size - 1, "bos_token_id": 2, "pad_token_id": 0}
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        CLIPModel(config).save_pretrained(folder)
    _preprocessor(folder, {"shortest_edge": SIDE}, {"height": SIDE, "width": SIDE})
    return folder


def siglip(folder: Path) -> Path:
    """SigLIP, 24 wide, which resizes to a square without cutting."""
    folder.mkdir(parents=True, exist_ok=True)
    text, vision = _towers(tokenizer(folder, 12))
    text |= {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
    with torch.random.fork_rng():
        torch.random.manual_seed(1)
        SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    _preprocessor(folder, {"height": SIDE, "width": SIDE}, None)
    return folder


def _preprocessor(folder: Path, size: dict[str, int], crop: dict[str, int] | None) -> None:
    said = {
        "do_resize": True,
        "size": size,
        "resample": 3,
        "do_center_crop": crop is not None,
        "do_rescale": True,
        "do_normalize": True,
        "image_mean": [0.48, 0.45, 0.4],
        "image_std": [0.26, 0.26, 0.27],
    }
    if crop is not None:
        said["crop_size"] = crop
    (folder / "preprocessor_config.json").write_text(json.dumps(said), encoding="utf-8")


def multilingual(folder: Path) -> Path:
    """A DistilBERT with mean pooling and a dense layer, as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as modules

    inner = folder.parent / "inner"
    size = tokenizer(inner, 16)
    with torch.random.fork_rng():
        torch.random.manual_seed(2)
        config = DistilBertConfig(
            vocab_size=size,
            dim=20,
            n_layers=1,
            n_heads=2,
            hidden_dim=24,
            max_position_embeddings=16,
        )
        DistilBertModel(config).save_pretrained(inner)
        word = modules.Transformer(str(inner), max_seq_length=16)
        pooling = modules.Pooling(20, pooling_mode="mean")
        dense = modules.Dense(20, 16, bias=False, activation_function=torch.nn.Identity())
        SentenceTransformer(modules=[word, pooling, dense], device="cpu").save(str(folder))
    return folder


def pairs(folder: Path) -> Path:
    """60 rows in Factify's form: claim and document have one colour or two, in words and pictures.

    The claim's image of rows 4 and 31 is broken.
    """
    colours = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}
    for name, value in colours.items():
        for size in ((50, 40), (40, 64)):
            Image.new("RGB", size, value).save(folder / f"{name}{size[0]}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    path = folder / "pairs.csv"
    names = list(colours)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("Claim", "Claim_image", "Document", "Document_image", "Category"))
        for n in range(60):
            same = bool(n % 2)
            one, two = names[n % 3], names[(n + (0 if same else 1)) % 3]
            first = "broken.png" if n in (4, 31) else f"{one}50.png"
            claim = f"claim {one} \u0926\u093f\u0932\u094d\u0932\u0940 {n % 40}"
            label = "Support_Multimodal" if same else "Insufficient_Text"
            writer.writerow((claim, first, f"document {two} {n // 2}", f"{two}40.png", label))
    return path
