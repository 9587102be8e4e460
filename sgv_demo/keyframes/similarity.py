"""How alike two frames are: embeddings whose dot product is the similarity.

Each embedder brings the threshold below which two frames count as different; a threshold means nothing without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import OWN_THRESHOLDS
from sgv_demo.types import Frame

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

CLIP_MODEL = "openai/clip-vit-large-patch14-336"
"""The tower that the published keyframe script compares frames with."""


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


def make_embedder(name: Literal["histogram", "clip"], *, model: str | None = None, timeout: float = 3.0) -> Embedder:
    """Makes the embedder called `name`.

    Args:
        name: histogram or clip.
        model: hub id or folder, for "clip" only.
        timeout: seconds until the hub is given up.

    Raises:
        SettingsError: there is no such embedder.
        EngineError: the model can't be loaded.
    """
    if name == "histogram":
        return HistogramEmbedder()
    if name == "clip":
        return ClipEmbedder.load(model or CLIP_MODEL, timeout)
    raise SettingsError(f"There is no similarity named {name!r}; choose histogram or clip.")


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
    def load(cls, model: str, timeout: float = 3.0) -> ClipEmbedder:
        """Loads a tower from the hub or a folder, on the first CUDA device or the CPU; keeps it for the next run.

        Raises:
            EngineError: there is no such model, or the hub can't be reached.
        """
        import torch
        from transformers import CLIPVisionModel

        folder = _folder(model, timeout)
        try:
            tower = CLIPVisionModel.from_pretrained(folder, weights_only=True, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(
                f"The similarity model {model} can't be loaded ({_first_line(error)}); "
                "give a folder that holds it, or use the histogram similarity."
            ) from error
        return cls(tower.to("cuda" if torch.cuda.is_available() else "cpu"))  # pyright: ignore[reportArgumentType]

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
