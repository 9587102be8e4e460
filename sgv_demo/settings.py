"""Every number and switch an operator may change; the only reader of environment variables.

`SGV_<FIELD NAME>` in upper case overrides a field: `SGV_MAX_SECONDS=600 make demo`.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from sgv_demo.errors import SettingsError
from sgv_demo.fields import Option, Spec, specs


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits, places and defaults of one process."""

    engine: str = "auto"
    """Which engine writes: "auto", "measured", "official", … or a name from `python -m sgv_demo engines`."""
    captioner: str = ""
    """Hub id or folder of ShareCaptioner-Video (or of SmolVLM2, with that engine); empty: the engine's own."""
    answerer: str = ""
    """Hub id or folder of ShareGPT4Video-8B (or of SmolVLM2, with that engine); empty: the engine's own."""
    quantization: Literal["nf4", "int8", "none"] = "nf4"
    """Bits of the weights."""
    vision: Literal["anyres", "published"] = "anyres"
    """What the answerer sees: anyres (all tiles, as trained) or published (base view only)."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Number format of the weights."""

    base_url: str = ""
    """Addresses of OpenAI-compatible servers, such as http://127.0.0.1:8000/v1; several, separated by commas, share
    the work; empty: none."""
    remote_model: Annotated[str, Option(flag="model")] = ""
    """What those servers call the model; empty: the first that they list."""
    prompts: Literal["auto", "official", "plain"] = "auto"
    """How those servers are asked questions: official, as ShareGPT4Video-8B was trained; plain, in words for any model;
    auto: official where the model is called sharegpt4video-8b-sgv-official (as `export` advises) or served by
    `serve-model`, else plain."""
    api_key: str = field(default="", repr=False)
    """Their key; never shown, logged or stored."""
    remote_timeout: float = 60.0
    """Seconds without a word from a server after which a step is given up."""
    remote_step_seconds: float = 900.0
    """Seconds that a server may take for one step in all, however slowly its words drip."""
    remote_at_once: int = 8
    """Steps that one server is given at the same time."""
    visitor_urls: bool = False
    """Whether a visitor may name a server. Off: an address from outside could point at machines inside."""

    clip_model: str = ""
    """Hub id or folder of the vision tower of `--similarity clip`; empty: openai/clip-vit-large-patch14-336."""

    max_megabytes: int = 2048
    """Largest file accepted."""
    max_seconds: float = 2 * 3600
    """Longest video accepted."""
    max_pixels: int = 100_000_000
    """Largest picture accepted, width times height."""
    max_keyframes: int = 2000
    """Most keyframes in one run."""
    min_every: float = 0.05
    """Seconds: the smallest sampling interval."""
    max_samples: int = 20_000
    """Most samples in one run."""
    max_text: int = 8000
    """Characters: the longest question, prompt or search."""
    max_turns: int = 100
    """Earlier questions that a question may bring along."""
    max_answer: int = 80_000
    """Characters of each of their answers at most."""

    frame_long_side: int = 1280
    """Pixels: frames are decoded to this long side at most (published sampling uses native size)."""
    measure_rate: float = 4.0
    """Frames a second looked at for camera motion and cuts."""
    read_timeout: float = 45.0
    """Seconds without a single new picture after which reading a file is given up."""
    reader_memory_mb: int = 1400
    """Memory that the reading process may use."""
    reader_threads: int = 2
    """Decoder threads of the reading process."""
    max_readers: int = 0
    """Videos read at the same time, each by a process of its own; 0: as many as the free memory has room for."""

    store_dir: Path = Path("~/.cache/sgv-demo")
    """Where results are kept."""
    store_megabytes: int = 2048
    """Most that results may take on disk; the oldest go first."""
    permalinks: bool = True
    """Whether a visitor may make a link that opens a result for whoever has it."""
    max_links: int = 100
    """Most links to one result, all visitors together."""
    max_note: int = 5000
    """Characters of one note or one corrected caption at most."""
    max_review: int = 500_000
    """Characters of all notes and corrections of one result at most."""
    dataset: str = ""
    """A file of annotations (JSONL) that the page offers; empty: visitors upload one."""
    videos_dir: str = ""
    """Folder with the videos of annotation files; empty: none are played."""
    pool: str = ""
    """Folder that `annotate` writes: its records are what the page offers as the dataset, with how far it is; empty:
    none."""
    benchmarks_dir: str = ""
    """Folder with benchmarks and runs of them that the page opens (see `evaluation/browsing.py`); empty: none."""
    state_minutes: int = 120
    """How long an idle visitor's state is kept in memory."""
    cache_megabytes: int = 2048
    """Most that kept question-and-answer prefixes may take in memory."""
    hub_timeout: float = 3.0
    """Seconds to wait for the model hub before going on without it."""

    space: bool = False
    """Whether this runs in a Hugging Face Space (set from SPACE_ID)."""
    zero_gpu: bool = False
    """Whether this is a ZeroGPU Space (set from SPACES_ZERO_GPU)."""
    slot_seconds: float = 60.0
    """Longest ZeroGPU slot asked for; it costs a visitor 1.5 times as much of the daily quota."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Option(least=1, most=65535)] = 7860
    """Port to listen on; the next free one is taken when it is in use."""
    max_queue: int = 32
    """Visitors waiting at most."""
    max_runs: int = 64
    """Runs, questions and texts under way at once, those in an engine's line included; more wait in the queue."""
    max_own_runs: int = 4
    """As many of one visitor at once."""
    max_address_runs: int = 24
    """As many from one address at once; this machine's own isn't counted."""
    max_uploads: int = 4
    """Files on their way from one address at once; this machine's own aren't counted."""
    max_upload_megabytes: int = 8192
    """Most that one address may send in an hour."""
    max_sessions: int = 80
    """Visitors remembered at most, half a megabyte each; who was away longest is forgotten first."""
    allowed_hosts: str = ""
    """Names, separated by commas, under which the page answers; "*" is any. Empty: this machine's own names where only
    it can reach the page, any elsewhere."""
    framing: str = ""
    """Addresses that may show the page in a frame, such as https://example.org; empty: none, on a Space Hugging
    Face's."""

    report_megabytes: int = 16
    """Largest video, shared with a link, that the link's report holds inside."""
    served_key: str = field(default="", repr=False)
    """Key that clients of `serve-model` must send; empty: none, and only this machine may ask."""
    served_port: Annotated[int, Option(flag="port", least=1, most=65535)] = 8000
    """Port that `serve-model` listens on."""
    served_requests: int = 64
    """Requests that `serve-model` holds at once, waiting ones included; more are told to come back."""
    served_megabytes: int = 24
    """Largest request to `serve-model`, its pictures in base64."""
    served_pictures: int = 64
    """Pictures in one request to `serve-model` at most."""
    served_megapixels: int = 64
    """Size of all pictures in one request to `serve-model` at most, unpacked."""
    served_tokens: int = 4096
    """New tokens in one answer of `serve-model` at most."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Reads `SGV_*` variables; called once, at the door.

        Raises:
            SettingsError: a variable's value has the wrong type, or is out of bounds.
        """
        env = {name: raw.strip() for name, raw in (os.environ if environ is None else environ).items() if raw.strip()}
        found = _read(env)
        if "SPACE_ID" in env:
            found.setdefault("host", "0.0.0.0")
        for name, variable in (("space", "SPACE_ID"), ("zero_gpu", "SPACES_ZERO_GPU")):
            if variable in env:
                found.setdefault(name, env[variable].lower() not in _NO)
        settings = cls(**found)
        for name, value in found.items():
            if fault := _bounded(specs(cls)[name]).fault(value, settings):
                raise SettingsError(fault)
        return settings

    def bounded(self, text: str, what: str, most: int | None = None) -> str:
        """`text`, which a visitor sent, where it isn't longer than `most` (`max_text`); `what` it is: "question",
        "answer", "prompt", "search".

        Raises:
            SettingsError: it is.
        """
        most = self.max_text if most is None else most
        if len(text) > most:
            raise SettingsError(f"This {what} has {len(text):,} characters; write {most:,} at most.")
        return text

    @property
    def store_path(self) -> Path:
        """`store_dir` with `~` expanded."""
        return self.store_dir.expanduser()


_WANTED = {int: "a whole number", float: "a number"}
_NO = ("0", "false", "f", "no", "off")


def _variable(name: str) -> str:
    return f"SGV_{name.upper()}"


def _bounded(spec: Spec) -> Spec:
    """A setting as its variable is named; no number is negative."""
    least = 0 if spec.kind in (int, float) and spec.option.least is None else spec.option.least
    return replace(spec, option=replace(spec.option, label=_variable(spec.name), least=least))


def _read(env: Mapping[str, str]) -> dict[str, Any]:
    """The fields that the environment sets, in their types.

    Raises:
        SettingsError: a value has the wrong type.
    """
    from pydantic import ValidationError, create_model
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

    class Environment(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="SGV_")

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            variables = named["env_settings"]
            variables.env_vars = {name.lower(): value for name, value in env.items()}
            return (variables,)

    kinds = typing.get_type_hints(Settings)
    known: dict[str, Any] = {spec.name: (kinds[spec.name], spec.default) for spec in specs(Settings).values()}
    try:
        made = create_model("Variables", __base__=Environment, **known)()
    except ValidationError as error:
        (name, *_) = error.errors()[0]["loc"]
        spec = specs(Settings)[str(name).lower().removeprefix("sgv_")]
        name = _variable(spec.name)
        if spec.kind is bool:
            raise SettingsError(f"{name}={env[name]!r} is neither yes nor no; set it to 1 or 0.") from error
        wanted = _WANTED.get(spec.kind) or spec.range_in_words(None)
        raise SettingsError(f"{name}={env[name]!r} is not {wanted}; set it to a valid value or unset it.") from error
    return {name: getattr(made, name) for name in made.model_fields_set}
