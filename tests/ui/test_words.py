"""The interface's other languages: nothing that a visitor can be told is missing, and every table is sound.

`Words` is assets/words.js in Python.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from sgv_demo.dataset.index import Trouble
from sgv_demo.dataset.record import ANNOTATED
from sgv_demo.engines import ENGINES
from sgv_demo.engines.choosing.choose import Facts, choose
from sgv_demo.engines.measured.engine import INFO
from sgv_demo.engines.offers import MODELS, OFFICIAL
from sgv_demo.fields import leaves
from sgv_demo.options import AnalysisOptions, QuestionOptions
from sgv_demo.ui.language import LANGUAGES, table
from sgv_demo.ui.theme import ASSETS
from tests.support.said import LETTER, module, modules, said

HOLE = re.compile(r"\{[#=]?\}")
MEANT = {"{}": "((?:(?! · ).)+?)", "{#}": r"([\d.,:]+)", "{=}": "(.+?)"}
SCRIPTS = {"zh": re.compile(r"[\u4e00-\u9fff]")}
"""A character that tells the language."""

PASSED_ON = {
    "str(error)": "the message of an error that was raised elsewhere",
    "str(arrival.message['message'])": "the same, from the reading process",
    "fate": "one of the guard's sentences on a process that is gone",
    "self._fate()": "the same",
    "message.message": "the same, from a ZeroGPU worker",
    "piece.note": "the engine's note, from a server of this project",
    "event.failure.message": "the same, from a step",
    "told.sentence": "the same, through the page's boundary",
    "note": "the reader's notes, see OTHERS",
    "what": "the step's name, given to `attempt`",
    "reason": "see `_reason`",
    "fault": "a value out of bounds, see OTHERS",
    "_counted(len(self._lost), 'damaged picture was skipped.', 'damaged pictures were skipped.')": "see OTHERS",
    "_counted(len(self._flawed), one, many)": "see OTHERS",
    "in_line('a place to read the video', place)": "see OTHERS",
    "words": "the same, for the engine",
}
"""Arguments in which the reading of the code sees no sentence, and where it comes from."""

OTHERS = (
    "Sampling interval can't be 0.01; choose a number from 0.05 to 86,400 s.",
    "Temperature can't be nan; choose a number from 0 to 2.",
    "End of the range can't be -1; choose a number above 0 s, up to 1,000,000 s.",
    "Top-p can't be 0; choose a number above 0, up to 1.",
    "Number of pictures can't be 65; choose a whole number from 1 to 64.",
    "Longest text can't be 1e+308; choose a whole number from 1 to 16,384 tokens.",
    "Captions can't be x; choose sliding or fast.",
    "This question has 10,000 characters; write 8,000 at most.",
    "This prompt has 10,000 characters; write 8,000 at most.",
    "This search has 10,000 characters; write 8,000 at most.",
    "1 damaged picture was skipped.",
    "3 damaged pictures were skipped.",
    "1 picture is damaged and may look wrong.",
    "12 pictures are damaged and may look wrong.",
    "Reading this file needs more memory than is allowed; scale the video down or shorten it.",
    "CUDA does not start",
    "needs 7.3 GB, 2.0 GB are free",
    "Waiting for a place to read the video: next in line",
    "Waiting for a place to read the video: 3 in line before you, about 5 min",
    "Waiting for the engine: next in line, about 12 s",
    "Waiting for the engine: 3 in line before you",
    "17.2 GB to download",
    "All Partial LoRA has rank 8 and was scaled by 1; plora_alpha in config.json sets it.",
    "Start the page with --base-url or SGV_BASE_URL.",
    "this program's",
    "the server's model's",
    "llava on a server",
    "llava on 3 servers",
    "SmolVLM2, a small general model (not ShareGPT4Video)",
    "Downloading openai/clip (12 MB of 1.7 GB) 40%",
    "Downloading openai/clip (12 MB of 1.7 GB, 3 MB a second) 40%",
    "Downloading openai/clip (12 MB of 1.7 GB, 3 MB a second, about 9 min left) 1%",
    "Downloading openai/clip (12 MB of 1.7 GB, 3 MB a second, about 9 min left)",
    "Checking openai/clip",
)
"""Sentences that the code puts together in ways that its reading can't see."""

FINISHED = (
    (
        "The range starts at 12.5 s but the video ends at 9.80 s; choose an earlier start.",
        "范围从 12.5 秒开始，但视频在 9.80 秒就结束了，请把起点往前移。",
    ),
    (
        "120 of 184 keyframes were dropped to keep the 64 most different.",
        "共 184 个关键帧，舍去 120 个，只保留差异最大的 64 个。",
    ),
    (
        "Number of pictures can't be -3; choose a whole number from 1 to 64.",
        "“查看的画面数”不能是 -3，请选择 1 到 64 之间的整数。",
    ),
    (
        "The engine failed at caption 3 for an unforeseen reason (logged); retry it.",
        "引擎在“第 3 条字幕”这一步因意外原因失败（已记入日志），请重试。",
    ),
    (
        "The captions are longer than the engine reads at once (16,000 tokens), so 3 segments were "
        "summarized first, and then their summaries.",
        "字幕超出引擎一次能读的长度（16,000 个词元），因此先分别概括了 3 段，再汇总这些摘要。",
    ),
    (
        "The pictures are 8192x8192, over the limit of 40 megapixels; scale the video down first.",
        "画面为 8192×8192，超过 40 百万像素的上限；请先缩小视频。",
    ),
    (
        "The video lasts 183 minutes, over the limit of 120; cut it first.",
        "视频长 183 分钟，超过 120 分钟的上限；请先剪短。",
    ),
    (
        "The file is cut short: its pictures end at 4.2 s of 9.0 s.",
        "文件不完整：全长 9.0 秒，画面到 4.2 秒就结束了。",
    ),
    (
        "2 damaged pictures were skipped.",
        "跳过了 2 帧损坏的画面。",
    ),
    (
        "Results can't be stored (No space left on device); free some disk space or set SGV_STORE_DIR.",
        "无法保存结果（磁盘空间已满），请腾出一些磁盘空间，或设置 SGV_STORE_DIR。",
    ),
    (
        "“my and your.jsonl” can't be read (Permission denied); choose another file.",
        "无法读取“my and your.jsonl”（没有权限），请选择其他文件。",
    ),
    (
        "“fast.jsonl” was changed since it was opened; open it again.",
        "“fast.jsonl”打开后被改动过，请重新打开。",
    ),
    (
        "1,203 lines left out (3 no JSON, 1,200 without captions).",
        "略过 1,203 行（3 行不是 JSON，1,200 行没有字幕）。",
    ),
    (
        "This is no JSON (line 7: Expecting value); export the result again.",
        "这不是 JSON（第 7 行：Expecting value），请重新导出结果。",
    ),
    (
        "ShareCaptioner-Video 7B and ShareGPT4Video 8B in 4 bit (nf4), both kept in memory: NVIDIA H100 80GB "
        "HBM3 with 78.2 GB free.",
        "ShareCaptioner-Video 7B 和 ShareGPT4Video 8B，4 位（nf4），两个都留在显存里：NVIDIA H100 80GB HBM3，"
        "空闲 78.2 GB。",
    ),
    (
        "ShareCaptioner-Video 7B and ShareGPT4Video 8B in 4 bit (nf4), taking turns, as only one fits at a "
        "time: NVIDIA GeForce RTX 3060 with 11.4 GB free.",
        "ShareCaptioner-Video 7B 和 ShareGPT4Video 8B，4 位（nf4），轮流使用，因为一次只放得下一个：NVIDIA "
        "GeForce RTX 3060，空闲 11.4 GB。",
    ),
    (
        "Measured, no language model: this CPU with 14.2 GB of memory free and no GPU; ShareGPT4Video's own "
        "models want one (--engine official runs them anyway, slowly).",
        "实测，无语言模型：本机 CPU，空闲内存 14.2 GB，没有 GPU；ShareGPT4Video 自己的模型需要 GPU（用 "
        "--engine official 仍可运行，但很慢）。",
    ),
    (
        "SmolVLM2 500M: NVIDIA T4 with 14.6 GB free would do, but ShareCaptioner-Video 7B and ShareGPT4Video "
        "8B (35.8 GB) must be fetched first; load them on the page or with --engine official.",
        "SmolVLM2 500M：NVIDIA T4，空闲 14.6 GB，本来够用，但须先下载 ShareCaptioner-Video 7B 和 "
        "ShareGPT4Video 8B（35.8 GB）；请在页面上或用 --engine official 加载。",
    ),
    (
        "Measured, no language model: the GPU can't be used (no NVIDIA GPU answers; check nvidia-smi).",
        "实测，无语言模型：GPU 无法使用（没有 NVIDIA GPU 响应，请用 nvidia-smi 检查）。",
    ),
    (
        "ShareCaptioner-Video 7B and Measured, no language model: as the settings say.",
        "ShareCaptioner-Video 7B 和 实测，无语言模型：按设置选用。",
    ),
    (
        "Downloading Lin-Chen/ShareCaptioner-Video (1.2 GB of 17.4 GB) 7%",
        "正在下载 Lin-Chen/ShareCaptioner-Video（1.2 GB / 17.4 GB）7%",
    ),
    (
        "The download of Lin-Chen/sharegpt4video-8b broke off (Connection reset by peer); try again, what "
        "arrived whole is kept.",
        "Lin-Chen/sharegpt4video-8b 的下载中断（Connection reset by peer）；请重试，已完整到达的文件会保留。",
    ),
    (
        "ShareCaptioner-Video needs 7.0 GB on cuda and 3.2 GB are free; close other programs, use nf4, or "
        "take the measured engine.",
        "ShareCaptioner-Video 在 cuda 上需要 7.0 GB，只空闲 3.2 GB；请关闭其他程序，用 nf4，或改用实测引擎。",
    ),
    (
        "The checkpoint ours does not fit its network: missing a.weight, b.weight, c.weight and 4 more; "
        "unexpected d.bias.",
        "检查点 ours 与其网络不符：缺少 a.weight, b.weight, c.weight 等，另有 4 个；多出 d.bias。",
    ),
    (
        "model.safetensors is cut short or damaged (invalid header); fetch it again.",
        "model.safetensors 不完整或已损坏（invalid header），请重新下载。",
    ),
    (
        "The server 10.0.0.7:8000 said nothing for 60 s (SGV_REMOTE_TIMEOUT), 4 times; wait a while, or add a server.",
        "服务器 10.0.0.7:8000 在 60 秒内没有回应（SGV_REMOTE_TIMEOUT），已试 4 次；请稍等，或增加服务器。",
    ),
    (
        "No server answers: a:1 can't be reached; b:2 said nothing for 3 s (SGV_REMOTE_TIMEOUT). Start it, "
        "or correct --base-url.",
        "没有服务器响应：a:1 连不上；b:2 在 3 秒内没有回应（SGV_REMOTE_TIMEOUT）。请启动它，或更正 --base-url。",
    ),
    (
        "Attempt 2: before, a server failed (503: overloaded). 32 of 64 pictures were sent. Servers decode "
        "with one beam, so that the text streams.",
        "第 2 次尝试；此前服务器出错（503：overloaded）。64 帧画面中发送了 32 帧。服务器用单个束解码，以便文"
        "字逐步显示。",
    ),
    (
        "Memory ran out; tried again with a picture of at most 4 tiles instead of 9. The model ended its "
        "answer without a word. Cut off after 1024 tokens.",
        "内存不足，已改用最多 4 个切块的画面（原为 9 个）重试。模型一个字也没写就结束了回答。在 1024 个词元后截断。",
    ),
    (
        "The GPU slot ended in the middle of this step; 12 steps are done and kept, at most 3 remain; run it "
        "again and it goes on from here.",
        "GPU 时段在这一步中途结束；已完成并保留 12 步，最多还剩 3 步；再次运行会从这里继续。",
    ),
    (
        "You have exceeded your free ZeroGPU quota (90s requested vs. 42s left). Try again in 3:20:00. "
        "12 steps are done and kept, at most 3 remain; run it again and it goes on from here.",
        "免费 ZeroGPU 配额已用完（需要 90 秒，还剩 42 秒），3:20:00 后可再试。已完成并保留 12 步，最多还剩 3 "
        "步；再次运行会从这里继续。",
    ),
    (
        "You have exceeded your free ZeroGPU quota (90s requested vs. 42s left). Try again in 3:20:00. Try "
        "again later.",
        "免费 ZeroGPU 配额已用完（需要 90 秒，还剩 42 秒），3:20:00 后可再试。请稍后再试。",
    ),
    (
        "The text says “pan left”, but “pan right” was measured. Which is right?",
        "文中说“左摇”，但实测为“右摇”。哪个正确？",
    ),
    (
        "llava:13b on 2 servers · remote",
        "llava:13b（在 2 台服务器上） · 远程",
    ),
)
"""Sentences as a visitor meets them, and what stands there in Chinese."""


MARKS = {"At {}: {}", "{} → {}", "{#} of {#}", "(2024).", "Top-p"}
"""Keys whose translation needs no character of the language."""
LIKE_ANOTHER = {
    ("A model on a server", "{=} on a server"),
    ("There is no video yet. Choose one on the left, then ask.", "{}, then {}"),
    ("New here? Tap an example, then press Run.", "{}, then {}"),
}
"""A key, and one with holes that its text would fit; the key without holes comes first."""


class Words:
    """What assets/words.js does with a text."""

    def __init__(self, words: dict[str, str]) -> None:
        self.table = words
        keys = [key for key in words if HOLE.search(key)]
        self.patterns = sorted(((key, _compiled(key)) for key in keys), key=lambda row: -len(HOLE.sub("", row[0])))

    def found(self, text: str) -> tuple[str, tuple[str, ...]] | None:
        """The key for a text, and what stands in its holes."""
        if text in self.table:
            return text, ()
        return next(((key, match.groups()) for key, regex in self.patterns if (match := regex.fullmatch(text))), None)

    def phrase(self, text: str) -> str:
        """The translation, or the text itself."""
        if not LETTER.search(text):
            return text
        found = self.found(text)
        if found is None:
            parts = text.split(" · ")
            return " · ".join(map(self.phrase, parts)) if len(parts) > 1 else text
        key, filled = found
        if not filled:
            return self.table[key]
        holes = [
            self.phrase(part) if hole == "{}" else part for hole, part in zip(HOLE.findall(key), filled, strict=True)
        ]
        return re.sub(r"\{(\d)\}", lambda hole: holes[int(hole[1])], self.table[key])

    def template(self, text: str) -> str | None:
        """The text as its keys see it, what is filled in (7) as `{}`; None when a piece of it has no key."""
        found = self.found(text)
        if found is None:
            return None if LETTER.search(text) else text.replace("7", "{}")
        holes = HOLE.findall(found[0])
        parts = [self.template(p) if h == "{}" else p.replace("7", "{}") for h, p in zip(holes, found[1], strict=True)]
        pieces = HOLE.split(found[0])
        return None if None in parts else "".join(a + (b or "") for a, b in zip(pieces, [*parts, ""], strict=True))


def _compiled(key: str) -> re.Pattern[str]:
    holes = [MEANT[hole] for hole in HOLE.findall(key)]
    pieces = map(re.escape, HOLE.split(key))
    return re.compile("".join(a + b for a, b in zip(pieces, [*holes, ""], strict=True)), re.DOTALL)


def missing(words: Words) -> list[str]:
    """Sentences without a translation of their own."""
    return [f"{name}: {text}" for name, text in said() if words.template(text.replace("{}", "7")) != text]


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(table("zh"))


def test_every_message_is_translated(words: Words) -> None:
    assert missing(words) == []
    assert len(said()) > 200
    assert [text for text in OTHERS if words.found(text) is None] == []


def test_whatever_the_reading_of_the_code_does_not_see_is_listed() -> None:
    said()
    assert {argument for name in modules() for argument in module(name).unseen} == set(PASSED_ON)


@pytest.mark.parametrize(
    "key",
    [
        "The range starts at {#} s but the video ends at {#} s; choose an earlier start.",  # an f-string
        "try again later.",  # a part, returned by a function
        "No picture in this file can be decoded; export or upload it again.",  # a constant of another module
        "segment {#} of the summary",  # a step
        "{#} of {#} keyframes were dropped to keep the {#} most different.",  # put together from two
        "Cut off after {#} tokens.",  # a note of a step
    ],
)
def test_a_missing_translation_is_found(key: str) -> None:
    without = {k: text for k, text in table("zh").items() if k != key}
    assert len(missing(Words(without))) == 1


def test_what_is_said_of_engines(words: Words) -> None:
    texts = [text for engine in ENGINES.values() for text in (engine.label, engine.about)]
    texts += [INFO.label, INFO.licence, ANNOTATED.label]
    texts += [model.licence for model in MODELS if model.licence != "Apache-2.0"]
    names = ("ShareCaptioner-Video 7B", "ShareGPT4Video 8B")
    assert [text for text in texts if text not in words.table and text not in names] == []


def test_why_an_engine_was_chosen(words: Words) -> None:
    here = frozenset(model.hub_id for model in OFFICIAL)
    machines = [Facts(gpu="NVIDIA L4", gpu_free=free * 10**9) for free in (2, 5, 8, 9, 12, 24, 78)]
    machines += [Facts(mps_free=32 * 10**9), Facts(ram_free=16 * 10**9), Facts(zero_gpu=True, space=True)]
    machines += [Facts(trouble="no NVIDIA GPU answers; check nvidia-smi")]
    left = set()
    for facts, found, hub, kind in product(machines, (here, frozenset()), (True, False), ("nf4", "int8", "none")):
        why = choose(replace(facts, here=found, hub=hub), kind).why
        left |= {why} if re.search(r"\b(and|the|with|in|needs|free|no|would)\b", words.phrase(why)) else set()
    assert left == set()


def test_what_is_said_of_a_dataset(words: Words) -> None:
    for counts in product((0, 1, 1200), repeat=3):
        said = Trouble(*counts).sentence()
        assert not LETTER.search(words.phrase(said).replace("JSON", "")), said


@pytest.mark.parametrize(("english", "chinese"), FINISHED, ids=range(len(FINISHED)))
def test_finished_sentences(words: Words, english: str, chinese: str) -> None:
    assert words.phrase(english) == chinese


@pytest.mark.parametrize("language", LANGUAGES)
class TestTable:
    """Each language's files."""

    def test_no_key_is_there_twice(self, language: str) -> None:
        pairs: list[tuple[str, str]] = []
        for file in sorted((ASSETS / "words" / language).glob("*.json")):
            pairs += json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list)
        same = Counter(HOLE.sub("{}", key) for key, _ in pairs)
        assert [key for key, count in same.items() if count > 1] == []

    def test_every_entry_is_sound(self, language: str) -> None:
        for key, text in table(language).items():
            assert (key, text) == (" ".join(key.split()), text.strip()), f"{key}: white space"
            assert text, key
            assert HOLE.sub("", key).strip(), f"{key}: nothing but holes"
            holes = Counter(re.findall(r"\{(.*?)\}", text))
            assert holes == Counter(map(str, range(len(HOLE.findall(key))))), f"{key}: a hole is lost, new or doubled"

    def test_every_text_is_in_the_language(self, language: str) -> None:
        same = [key for key, text in table(language).items() if not SCRIPTS[language].search(text)]
        assert set(same) <= MARKS

    def test_no_key_takes_the_texts_of_another(self, language: str) -> None:
        words = Words(table(language))
        for key, _ in words.patterns:
            found = words.found(key.replace("{#}", "7").replace("{=}", "x").replace("{}", "7")) or ("nothing", ())
            assert found[0] == key, f"{key}: {found} comes first"
        plain = [key for key in words.table if not HOLE.search(key)]
        both = {(k, pattern) for k in plain for pattern, regex in words.patterns if regex.fullmatch(k)}
        assert both <= LIKE_ANOTHER


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_has_its_name_and_sentence(language: str) -> None:
    known = table(language)
    specs = [*leaves(AnalysisOptions), *leaves(QuestionOptions)]
    assert [text for spec in specs for text in (spec.label, spec.sentence) if text not in known] == []
