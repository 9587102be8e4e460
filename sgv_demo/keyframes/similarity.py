"""How alike two frames are: embeddings whose dot product is the similarity.

Each embedder brings the threshold below which two frames count as different; a threshold means nothing without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import OFFLINE_SIMILARITY, OWN_THRESHOLDS, SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Frame

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

CLIP_MODEL = "openai/clip-vit-large-patch14-336"
"""The tower that the published keyframe script compares frames with."""
_PUBLISHED_SIZES = (1024, 24, 14, 336)
"""Its width, layers, and the sides of a patch and of the picture in pixels."""


class Embedder(Protocol):
    """Turns frames into vectors that can be compared."""

    @property
    def name(self) -> str: ...

    @property
    def threshold(self) -> float:
        """Frames whose similarity is below this are different enough for a new keyframe."""
        ...

    def embed(self, frames: Sequence[Frame]) -> NDArray[np.float32]:
        """Returns (n, d) float32 rows; the dot product of two rows is their similarity, 1 for equal frames."""
        ...


_LENT: WeakValueDictionary[str, CLIPVisionModel] = WeakValueDictionary()
"""The tower of an answerer that is loaded, as long as it is: the same weights need no second copy."""


def lend(tower: CLIPVisionModel) -> None:
    """Lets samples be compared by a tower that is loaded for another purpose, where it is the published one.

    Not for one that moves between devices, as it may be on its way.
    """
    config = tower.config
    if (config.hidden_size, config.num_hidden_layers, config.patch_size, config.image_size) == _PUBLISHED_SIZES:
        _LENT[CLIP_MODEL] = tower


def at_hand(settings: Settings) -> str:
    """Where CLIP's weights are, if samples can be compared by them without a wait; "" if they can't.

    On a processor a sample takes seconds, so what merely lies on the disk counts only beside a GPU. ZeroGPU's is not
    there outside a slot, and none is spent on choosing keyframes.
    """
    if settings.zero_gpu:
        return ""
    if not settings.clip_model and CLIP_MODEL in _LENT:
        return "loaded as the answerer's tower"
    model = settings.clip_model or CLIP_MODEL
    if not _kept(model) or _device(settings) == "cpu":
        return ""
    return "kept on this machine"


def settled(sampling: SamplingOptions, settings: Settings) -> SamplingOptions:
    """`sampling` with a similarity that `auto` leaves open: CLIP where it is at hand, else the colour histogram."""
    if sampling.similarity != "auto":
        return sampling
    return replace(sampling.plain(), similarity="clip" if at_hand(settings) else OFFLINE_SIMILARITY).plain()


def make_embedder(name: str, settings: Settings) -> Embedder:
    """Makes the embedder called `name`: histogram or clip.

    Raises:
        SettingsError: there is no such embedder.
        EngineError: the model can't be loaded.
    """
    if name == "histogram":
        return HistogramEmbedder()
    if name == "clip":
        lent = None if settings.clip_model or settings.zero_gpu else _LENT.get(CLIP_MODEL)
        if lent is not None:
            return ClipEmbedder(lent)
        return ClipEmbedder.load(settings.clip_model or CLIP_MODEL, _device(settings), settings.hub_timeout)
    raise SettingsError(f"There is no similarity named {name!r}; choose histogram or clip.")


def _device(settings: Settings) -> str:
    """Where a tower of our own runs: ZeroGPU's device exists only within a slot, though torch says otherwise."""
    import torch

    return "cuda" if torch.cuda.is_available() and not settings.zero_gpu else "cpu"


class HistogramEmbedder:
    """Square root of the joint HSV histogram (12 x 4 x 4 bins): rows compare by the Bhattacharyya coefficient."""

    name = "histogram"
    threshold = OWN_THRESHOLDS["histogram"]
    """Told 16 shots of 6 frames apart with an area under the curve of 0.9997."""

    _BINS = (12, 4, 4)
    _PIXELS = 20_000
    """About as many pixels are looked at, whatever the frame's size."""

    def embed(self, frames: Sequence[Frame]) -> NDArray[np.float32]:
        """Returns (n, 192) rows of length 1."""
        if not frames:
            return np.zeros((0, int(np.prod(self._BINS))), np.float32)
        return np.stack([self._one(frame.image) for frame in frames])

    def _one(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        step = max(1, round((height * width / self._PIXELS) ** 0.5))
        small = np.ascontiguousarray(
            image[step // 2 :: step, step // 2 :: step] if min(height, width) > step else image
        )
        hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
        counts = cv2.calcHist([hsv], [0, 1, 2], None, list(self._BINS), [0, 180, 0, 256, 0, 256])
        return np.sqrt(counts.ravel() / counts.sum()).astype(np.float32)


class ClipEmbedder:
    """Cosine of the class token of CLIP's vision tower, as in the published keyframe script.

    The token is the last block's output before the final layer norm (`hidden_states[-1][:, 0]`).
    """

    name = "clip"
    threshold = OWN_THRESHOLDS["clip"]
    """Published with ShareGPT4Video (arXiv 2406.04325)."""

    _BATCH = 16

    def __init__(self, tower: CLIPVisionModel) -> None:
        self._tower = tower.eval()
        size, width = tower.config.image_size, tower.config.hidden_size
        if not isinstance(size, int) or not isinstance(width, int):
            raise EngineError("The similarity model is not a CLIP tower for square pictures; use another one.")
        self._size, self._width = size, width

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls, model: str, device: str, timeout: float = 3.0) -> ClipEmbedder:
        """Loads a tower from the hub or a folder to a device; keeps it for the next run.

        Raises:
            EngineError: there is no such model, or the hub can't be reached.
        """
        from transformers import CLIPVisionModel

        folder = _folder(model, timeout)
        try:
            tower = CLIPVisionModel.from_pretrained(folder, weights_only=True, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(
                f"The similarity model {model} can't be loaded ({_first_line(error)}); "
                "give a folder that holds it, or use the histogram similarity."
            ) from error
        return cls(tower.to(device))  # pyright: ignore[reportArgumentType]

    def embed(self, frames: Sequence[Frame]) -> NDArray[np.float32]:
        """Returns (n, hidden) rows of length 1."""
        import torch

        rows = [np.zeros((0, self._width), np.float32)]
        for start in range(0, len(frames), self._BATCH):
            batch = np.stack([self._pixels(f.image) for f in frames[start : start + self._BATCH]])
            with torch.inference_mode():
                pixels = torch.from_numpy(batch).to(self._tower.device, self._tower.dtype)
                token = self._tower(pixel_values=pixels).last_hidden_state[:, 0].float()
                rows.append(torch.nn.functional.normalize(token, dim=1).cpu().numpy())
        return np.concatenate(rows)

    def _pixels(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """CLIP's own preparation: bicubic to the short side, centre crop, its mean and deviation; (3, s, s)."""
        from PIL import Image

        height, width = image.shape[:2]
        scale = self._size / min(height, width)
        size = (max(self._size, int(width * scale)), max(self._size, int(height * scale)))
        picture = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), np.float32) / 255
        left, top = (size[0] - self._size) // 2, (size[1] - self._size) // 2
        picture = picture[top : top + self._size, left : left + self._size]
        mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
        deviation = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
        return np.asarray((picture - mean) / deviation, np.float32).transpose(2, 0, 1)


def _kept(model: str) -> bool:
    """Whether a folder, or what the hub's cache has of a model, holds weights."""
    from huggingface_hub import try_to_load_from_cache

    if Path(model).expanduser().is_dir():
        folder = Path(model).expanduser()
    else:
        found = try_to_load_from_cache(model, "config.json")
        if not isinstance(found, str):
            return False
        folder = Path(found).parent
    return any((folder / name).is_file() for name in ("model.safetensors", "pytorch_model.bin"))


def _folder(model: str, timeout: float) -> Path:
    """Finds `model` on disk, or fetches it from the hub, which must answer within `timeout` seconds."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    files = ["config.json", "*.safetensors", "pytorch_model*.bin", "*.index.json"]
    try:
        return Path(snapshot_download(model, allow_patterns=files, etag_timeout=timeout))
    except HFValidationError as error:
        raise EngineError(f"{model} is neither a folder nor a name on the model hub; correct it.") from error
    except (HfHubHTTPError, OSError) as error:
        raise EngineError(
            f"The similarity model {model} is not on this machine and the model hub gave nothing "
            f"({_first_line(error)}); give a folder that holds it, or use the histogram similarity."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
