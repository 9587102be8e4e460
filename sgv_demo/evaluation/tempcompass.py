"""TempCompass: whether a model perceives time. Four tasks about the same videos.

Three can be scored by rules; captioning needs a judge. Prompts and frames: ShareGPT4Video's evaluation at commit
7e02ee6; rules: TempCompass's own at e1b4631. What this project words itself is marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sgv_demo.engines.prompts import ANSWERER_PREFACE, Wording
from sgv_demo.errors import DatasetError
from sgv_demo.evaluation.benchmark import (
    Asked,
    Average,
    Judged,
    Pool,
    Published,
    Question,
    first_there,
    inside,
    micro,
    percent,
    read_json,
)
from sgv_demo.evaluation.frames import tempcompass_indices
from sgv_demo.evaluation.rules import UNKNOWN, Rules, Verdict, strictly

SUFFIXES = {
    "multi-choice": "\nPlease directly give the best option:",
    "yes_no": "\nPlease answer yes or no:",
    "caption_matching": "\nPlease directly give the best option:",
    "captioning": "",
}
"""Task → what follows the question, in the order of the published tables."""

ASPECTS = ("action", "direction", "speed", "order", "attribute_change")
FINE_ASPECTS = (
    "fine-grained action",
    "coarse-grained action",
    "object motion",
    "camera motion",
    "absolute speed",
    "relative speed",
    "order",
    "color & light change",
    "size & shape change",
    "combined change",
    "other change",
)

WORDING = Wording(preface=f"{ANSWERER_PREFACE} ", longest_side=None)

LETTERS = "ABCD"

_NO_MATCH = Verdict(0, False, "The answer is in none of the forms that the rule knows; a judge would decide.")


def kept_output(output: str | None) -> str | None:
    """What the rules look at."""
    return None if output is None else output.replace("</s>", "").strip()


def multiple_choice(answer: str, output: str) -> Verdict:
    """The whole right option, a letter alone, or a letter with a dot or a bracket after it; case matters."""
    if output == answer:
        return Verdict(1, True, "The output is the right option.")
    letter, after = output[:1], output[1:]
    if letter and letter in LETTERS and (not after or after.startswith((".", ")"))):
        return Verdict(int(letter == answer[:1]), True, f"The output names {letter}; right is {answer[:1]}.")
    return _NO_MATCH


def yes_or_no(answer: str, output: str) -> Verdict:
    """How the output begins, whatever follows: “Not sure” is a no."""
    said = next((word for word in ("yes", "no") if output.lower().startswith(word)), None)
    if said is None:
        return _NO_MATCH
    return Verdict(int(said == answer), True, f"The output begins with {said}; right is {answer}.")


def matching_caption(question: str, answer: str, output: str) -> Verdict:
    """An option's whole line, its sentence, its head ("Caption A") or its key ("A").

    Raises:
        IndexError: a line of the question, or the answer, has no ": "; the published rule fails on it.
    """
    lines = question.split("\n")[1:]
    sentences = [_sentence(line) for line in lines]
    heads = [_head(line) for line in lines]
    keys = [_key(head) for head in heads]
    inner = output.split(") ")[1] if ") " in output else output
    said = next((line for line in lines if line == output), None)
    said = next((one for one in reversed(sentences) if one in (output, inner)), said)
    said = next((one for one in reversed(heads + keys) if one in (output, output.replace(".", ""))), said)
    if said is None:
        return _NO_MATCH
    right = said in (answer, _head(answer), _sentence(answer), _key(_head(answer)))
    return Verdict(int(right), True, f"The output is taken for “{said}”; right is “{answer}”.")


def _sentence(line: str) -> str:
    return line.split(": ")[1]


def _head(line: str) -> str:
    return line.split(": ")[0]


def _key(head: str) -> str:
    for word in ("Sentence ", "Option ", "Caption "):
        head = head.replace(word, "")
    return head


def by_rule(task: str, question: str, answer: str, output: str | None) -> Verdict:
    """The published rules of the three tasks that have one.

    Raises:
        IndexError: see `matching_caption`.
    """
    kept = kept_output(output)
    if kept is None:
        return Verdict(0, False, "There is no answer.")
    if task == "multi-choice":
        return multiple_choice(answer, kept)
    return yes_or_no(answer, kept) if task == "yes_no" else matching_caption(question, answer, kept)


def by_judge(reply: str) -> int | None:
    """A judge's word on an answer: 1, 0, or None where it must be asked again."""
    if reply.startswith("Correct"):
        return 1
    if reply.startswith("Incorrect") or "Incorrect" in reply:
        return 0
    return 1 if "Correct" in reply else None


def by_caption_judge(reply: str, answer: str) -> int:
    """Whether a judge who read a caption chose the right option: 1, 0, or -1 for no judgement.

    Args:
        reply: what the judge wrote.
        answer: the right option, "B. he runs".
    """
    if reply in ("", "invalid_request_error"):
        return -1
    chosen = reply
    for line in reply.split("\n"):
        if "Answer" in line:
            chosen = line
    chosen = chosen.replace("Answer:", "").strip()
    named = sum(chosen.count(f"{letter}.") for letter in LETTERS)
    return int(chosen.split(". ")[0] == answer.split(". ")[0] and named == 1)


class TempCompass:
    """See `benchmark.Benchmark`."""

    name = "tempcompass"
    title = "TempCompass"
    most_tokens = 128
    rules: Sequence[Rules] = ("published", "strict")
    published = (
        Published("ShareGPT4Video-8B", 61.5, "the paper, through readers' notes; one prints 61.59"),
        Published("Qwen2-VL-7B", 67.85, "TempCompass's board"),
        Published("Video-LLaVA", 49.77, "TempCompass's board, recomputed from its result files", second_hand=False),
    )

    def read(self, annotations: Path, videos: Path, answers: Path | None = None) -> Pool:
        """Finds questions and videos, in TempCompass's own files or in the hub's flat ones.

        Raises:
            DatasetError: no annotation file is there, or one is damaged.
        """
        fine = _fine_aspects(annotations)
        choices: dict[tuple[str, str], tuple[str, str]] = {}
        questions: list[Question] = []
        totals: dict[str, int] = {}
        missing: list[str] = []
        number = 0
        for task in SUFFIXES:
            file = _file(annotations, task)
            if file is None:
                missing.append(f"{task}: the annotation file {task}.json is not there.")
                continue
            for video, aspect, index, row in _rows(file):
                if task == "multi-choice":
                    choices.setdefault((video, aspect), (str(row.get("question")), str(row.get("answer"))))
                asked = ask(task, video, aspect, index, row, number, fine, choices)
                number += 1
                totals[task] = totals.get(task, 0) + 1
                path = first_there(_places(videos, asked.video))
                if path:
                    questions.append(Question(asked, path))
                else:
                    missing.append(f"{task}: the video {asked.video} is not there.")
        if not totals:
            raise DatasetError(
                f"There is no annotation file of TempCompass in {annotations.name};"
                " name the folder with multi-choice.json."
            )
        return Pool(tuple(questions), totals, tuple(missing))

    def wording(self, asked: Asked) -> Wording:
        return WORDING

    def put(self, asked: Asked) -> str:
        return f"Question: {asked.text}{SUFFIXES[asked.task]}"

    def indices(self, question: Question, frames: int, fps: float) -> list[int]:
        return tempcompass_indices(frames)

    def judge(self, asked: Asked, text: str | None, rules: Rules) -> Verdict:
        """What the rules say of an answer; captions are left to a judge."""
        if asked.task == "captioning":
            return Verdict(None, None, "Captions have no rule: only a judge can rate them.")
        if asked.gold is None:
            return UNKNOWN
        if rules == "strict" and asked.task == "multi-choice":
            lines = asked.text.split("\n")[1:]
            return strictly(kept_output(text) or "", asked.gold[:1], [line[:1] for line in lines if line[1:2] == "."])
        if rules == "strict" and asked.task == "yes_no":
            said = (kept_output(text) or "").lower().rstrip(".!").split(",")[0].split(" ")[0]
            known = said in ("yes", "no")
            return Verdict(int(said == asked.gold), True, f"The output says {said}.") if known else _NO_MATCH
        try:
            return by_rule(asked.task, asked.text, asked.gold, text)
        except IndexError:
            return Verdict(None, None, "An option has no “: ”: the published rule fails on it.")

    def averages(self, judged: Sequence[Judged]) -> list[Average]:
        """Percent over all rated questions, then for each task's aspects and fine aspects."""
        rated = [one for one in judged if one.verdict.rating is not None]
        tasks = {one.asked.task for one in rated}
        right, questions = micro(rated)
        whole = "all four tasks, every question alike" if tasks == set(SUFFIXES) else "only " + ", ".join(sorted(tasks))
        averages = [Average("Avg. All", percent(right, questions), whole, right, questions)]
        for task in SUFFIXES:
            of_task = [one for one in rated if one.asked.task == task]
            for kind, names in (("aspect", ASPECTS), ("fine", FINE_ASPECTS)):
                for name in names:
                    right, count = micro([one for one in of_task if one.asked.more.get(kind) == name])
                    if count:
                        label = "fine aspect" if kind == "fine" else kind
                        averages.append(Average(f"{task}: {name}", percent(right, count), label, right, count))
        return averages


def ask(
    task: str,
    video: str,
    aspect: str,
    index: int,
    row: Mapping[str, Any],
    number: int,
    fine: Mapping[str, Mapping[str, str]] | None = None,
    choices: Mapping[tuple[str, str], tuple[str, str]] | None = None,
) -> Asked:
    """One question.

    Args:
        task: key of `SUFFIXES`.
        video: its id.
        aspect: one of `ASPECTS`.
        index: place within video and aspect.
        row: as it stands in the file.
        number: place in the whole.
        fine: video → aspect → fine aspect.
        choices: (video, aspect) → question and answer of its first multiple choice, which captions are judged by.

    Raises:
        DatasetError: a field is missing.
    """
    if "question" not in row:
        raise DatasetError(f"A row of {task}.json about {video} has no question; fetch it again.")
    more = {"aspect": aspect, "fine": (fine or {}).get(video, {}).get(aspect, "")}
    gold = None if row.get("answer") is None else str(row["answer"])
    if task == "captioning":
        question, answer = (choices or {}).get((video, aspect), (row.get("mc_question"), row.get("mc_answer")))
        more |= {"mc_question": str(question or ""), "mc_answer": str(answer or "")}
        gold = str(answer) if answer else gold
    item = f"{task}/{video}/{aspect}/{index}"
    return Asked(task, item, number, f"{video}.mp4", str(row["question"]), gold, (), more)


def fine_aspects(meta: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """`meta_info.json` as video → aspect → fine aspect; of order it is always order."""
    return {
        video: {
            aspect: "order" if aspect == "order" else str(about.get("type", ""))
            for aspect, about in facts.get("eval_dim", {}).items()
            if about
        }
        for video, facts in meta.items()
    }


def _fine_aspects(annotations: Path) -> dict[str, dict[str, str]]:
    file = first_there((annotations / "meta_info.json", annotations.parent / "meta_info.json"))
    return fine_aspects(read_json(file)) if file else {}


def _file(annotations: Path, task: str) -> Path | None:
    folders = (annotations, annotations / "questions")
    return first_there(folder / f"{task}{suffix}" for folder in folders for suffix in (".json", ".jsonl"))


def _rows(file: Path) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    """(video, aspect, place within both, row) of either form."""
    found = read_json(file)
    seen: dict[tuple[str, str], int] = {}
    for video, aspect, row in _nested(found) if isinstance(found, dict) else _flat(found, file):
        if not isinstance(row, Mapping):
            raise DatasetError(f"{file.name} holds something that is not a question; fetch it again.")
        place = seen[video, aspect] = seen.get((video, aspect), -1) + 1
        yield video, aspect, place, row


def _nested(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for video, aspects in found.items():
        for aspect, rows in aspects.items():
            for row in rows:
                yield video, aspect, row


def _flat(found: Any, file: Path) -> Iterator[tuple[str, str, Any]]:
    try:
        for row in found:
            yield str(row["video_id"]), str(row["dim"]), row
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{file.name} holds a row without video_id and dim; fetch it again.") from error


def _places(videos: Path, video: str) -> Iterator[Path]:
    for relative in (video, f"videos/{video}"):
        if path := inside(videos, relative):
            yield path


BENCHMARK = TempCompass()
