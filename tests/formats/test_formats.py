"""Report, spreadsheet and the table of formats: complete, self-contained, safe to open."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from sgv_demo.formats.report import to_html
from sgv_demo.formats.spreadsheet import COLUMNS, to_csv
from sgv_demo.formats.table import FORMATS, Beside, to_json
from sgv_demo.formats.thumbnails import small, stored
from sgv_demo.formats.translated import html_in
from sgv_demo.results import record, review
from sgv_demo.results.provenance import facts
from sgv_demo.results.review import NONE
from sgv_demo.types import Caption, KeyframeMark, TraceMark
from tests.support.samples import EVIDENCE, analysis

REVIEW = (
    NONE.rate(0, "accurate").rate(1, "made up").flag(1).remark(1, "<b>really</b>?")
    .edit(analysis().captions[1], "The camera pans left & a <sign> shows.")
)  # fmt: skip


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.seen


def _jpeg() -> bytes:
    return small(np.full((90, 160, 3), 128, np.uint8))


def test_the_report_says_everything() -> None:
    text = to_html(analysis(), REVIEW, {0: _jpeg(), 1: _jpeg(), 2: _jpeg()})
    assert text.count("data:image/jpeg;base64,") == 3
    for said in (
        "Scripted, for tests", "tiny", "nf4", "bfloat16", "Sampling interval",
        "A street; a sign appears.", "A street at noon.",
        "cut at 0:01", "pan right", "12 % brighter", "made up", "⚑ flagged", "<ins>left</ins>", "<del>right</del>",
        "90 tokens in, 7 out", "3 damaged pictures were skipped.", "1 edited", "2 of 3 captions rated",
        "but “pan right” was measured",
    ):  # fmt: skip
        assert said in text or said in re.sub(r" (?=</(ins|del)>)", "", text), said
    assert '<h3>Prompt of caption 2</h3><pre dir="auto">ask</pre>' in text


def test_the_report_holds_nothing_remote_and_nothing_that_runs() -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00'
    captions = (Caption(0, 0.0, 0.0, hostile, trace=TraceMark(hostile, 1, 1, 1.0, note=hostile)),)
    result = analysis(captions=captions, summary=hostile, notes=(hostile,))
    text = to_html(result, NONE.remark(0, hostile).edit(captions[0], hostile + "!"))
    tags = _tags(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags}
    allowed = {"class", "style", "content", "dir", "lang", "charset", "name", "http-equiv", "scope", "aria-label"}
    drawn = {"role", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "points", "text-anchor"}
    assert all(name in allowed | drawn | {"id", "href"} for _, attrs in tags for name in attrs)
    assert result.video
    places = [attrs["href"] or "" for _, attrs in tags if "href" in attrs]
    assert all(place.startswith(("#", quote(result.video.path.name) + "#t=")) for place in places)
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert "https://" not in text
    assert "\x00" not in text
    assert "/home" not in text


def test_a_video_inside_the_report_is_the_video_given_and_its_script_the_only_one(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\x00\x01 video")
    text = to_html(analysis(), NONE, {}, film)
    (inside,) = re.findall(r'<video [^>]*src="data:video/mp4;base64,([^"]+)"', text)
    assert base64.b64decode(inside) == film.read_bytes()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in unescape(text)
    assert len(re.findall('<a href="#film#t=[02]">', text)) == len(analysis().captions)
    assert f"<script>{script}</script>" in html_in(text, "zh")
    strange = film.rename(tmp_path / "film.mkv")
    assert to_html(analysis(), NONE, {}, strange) == to_html(analysis())


def test_pictures_of_the_report_are_the_pictures_given() -> None:
    picture = _jpeg()
    text = to_html(analysis(), NONE, {1: picture})
    (found,) = re.findall(r"base64,([^\"]+)", text)
    assert base64.b64decode(found) == picture
    assert _tags(to_html(analysis(), NONE))


def test_a_fast_result_shows_a_strip() -> None:
    from sgv_demo.options import AnalysisOptions

    fast = analysis(options=AnalysisOptions(mode="fast"), captions=(Caption(0, 0.0, 4.0, "All of it."),))
    assert to_html(fast, NONE, {0: _jpeg(), 2: _jpeg()}).count("<image") == 2


def test_a_pair_shows_both_frames_with_their_times_and_each_picture_is_there_once() -> None:
    text = to_html(analysis(), NONE, {0: _jpeg(), 1: _jpeg(), 2: _jpeg()})
    cards = re.findall(r"<article.*?</article>", text, re.S)
    times = [re.findall(r"<figcaption><small>([^<]+)</small>", card) for card in cards]
    assert times == [["0:00"], ["0:00", "0:02"], ["0:02", "0:04"]]
    assert [re.findall(r'href="#(k\d)"', card) for card in cards] == [[], ["k0"], ["k1"]]
    assert re.findall(r'id="(k\d)"', text) == ["k0", "k1", "k2"]
    assert text.count("data:image") == 3
    assert 'viewBox="0 0 160 90"' in text


def test_the_report_says_that_pictures_are_missing() -> None:
    said = "2 of 3 keyframes come without a picture."
    assert said in to_html(analysis(), NONE, {1: _jpeg()})
    assert "without a picture" not in to_html(analysis(), NONE, {0: _jpeg(), 1: _jpeg(), 2: _jpeg()})


def test_csv_has_a_row_for_each_caption() -> None:
    text = to_csv(analysis(), REVIEW)
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert [row["caption"] for row in rows] == ["1", "2", "3"]
    assert rows[1]["text"] == "The camera pans left & a <sign> shows."
    assert rows[1]["text_before_edit"] == "The camera pans right & a <sign> shows."
    assert (rows[1]["rating"], rows[1]["flagged"], rows[1]["camera"]) == ("made up", "yes", "pan right")
    assert rows[2]["text"] == "Line one\n\nline two --> end"
    assert rows[0]["engine"] == "Scripted, for tests"
    assert all(None not in row and None not in row.values() for row in rows), "every row has every column, no more"
    assert [row["similarity"] for row in rows] == ["", "0.81", ""]
    assert [row["summary"] for row in rows] == ["A street; a sign appears.", "", ""]
    assert {(row["range_start_s"], row["range_end_s"], row["max_new_tokens"]) for row in rows} == {("0.0", "", "1024")}


def test_csv_has_a_column_for_each_fact() -> None:
    assert {fact.column for fact in facts(analysis())} <= set(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_text_is_no_formula(start: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(analysis(captions=(Caption(0, 0, 0, f"{start}1+1"),))), newline="")))
    assert rows[1][3] == f"'{start}1+1"


def test_every_format_makes_a_text_and_edits_are_in_it() -> None:
    assert len({form.suffix for form in FORMATS}) == len(FORMATS)
    for form in FORMATS:
        text = form.make(analysis(), REVIEW, Beside())
        assert "pans left" in re.sub(r"</?(ins|del)>", "", text), form.name


def test_headings_are_in_the_chosen_language_and_what_others_wrote_stays() -> None:
    traced = tuple(
        replace(c, trace=TraceMark(f"Say what frame {c.index} shows", 7, 9, 1.5)) for c in analysis().captions
    )
    whole = replace(analysis(), captions=traced, notes=())
    theirs = "my clip Line one two end A street at noon a sign appears The camera pans left right shows START"
    theirs += " really EXIT tiny bfloat Say what frame line number Scripted, for tests"
    names = "CPU caption before Top-p sgv-demo PP-OCR JSON CSV WEBVTT NOTE fps"
    kept = set(re.findall(r"[A-Za-z]+", f"{theirs} {names}"))
    for form in FORMATS:
        text = form.make(whole, REVIEW, Beside({0: _jpeg(), 1: _jpeg()}, "zh"))
        if form.name in ("html", "markdown", "vtt"):
            assert "生成方式" in text
            assert "字幕" in text
            shown = re.sub(r"<style>.*?</style>|<[^>]*>", " ", unescape(text).replace("\\", ""), flags=re.DOTALL)
            assert set(re.findall(r"[A-Za-z]{3,}", shown)) - kept == set()
        else:
            assert text == form.make(whole, REVIEW, Beside())


def test_a_file_name_of_any_bytes_is_written_and_reads_back() -> None:
    video = analysis().video
    assert video is not None
    odd = analysis(video=replace(video, path=Path(os.fsdecode(b"clip\xff\x1b[31m\nend.mp4"))))
    for form in FORMATS:
        text = form.make(odd, NONE, Beside())
        assert "\x1b" not in text, form.name
        assert text.encode().decode() == text, form.name
    again = record.from_record(json.loads(to_json(odd, NONE))).video
    assert again is not None
    assert again.name == "clip\ufffd[31m end.mp4"


def test_json_carries_the_review_and_reads_back() -> None:
    data = json.loads(to_json(analysis(), REVIEW))
    assert review.from_record(data["review"]) == REVIEW
    assert record.from_record(data).captions == analysis().captions
    assert "review" not in json.loads(to_json(analysis(), NONE))


def test_stored_pictures_are_read_small_and_only_from_the_result(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "result"
    (folder / "keyframes").mkdir(parents=True)
    Image.new("RGB", (1280, 720)).save(folder / "keyframes" / "0000.jpg")
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.jpg")
    (folder / "keyframes" / "0002.jpg").write_bytes(b"no picture")
    names = ("keyframes/0000.jpg", "../secret.jpg", "keyframes/0002.jpg", "keyframes/0003.jpg", None)
    marks = [KeyframeMark(i, float(i), None, float(i), None, name) for i, name in enumerate(names)]
    found = stored(folder, marks)
    assert list(found) == [0]
    with Image.open(io.BytesIO(found[0])) as image:
        assert image.size == (480, 270)


def test_the_command_line_writes_report_csv_and_record(tmp_path: Path) -> None:
    from sgv_demo.cli import main
    from sgv_demo.dataset import record as dataset_record
    from tests.support.video_files import write_clip

    clip = tmp_path / "clip.mp4"
    write_clip(clip)
    files = {name: tmp_path / f"out.{name}" for name in ("html", "csv", "dataset")}
    options = [f"--{name}={path}" for name, path in files.items()]
    arguments = ["caption", str(clip), "--engine", "measured", "--no-text", "--all", *options]
    assert main(arguments) == 0
    assert main(arguments) == 0
    lines = files["dataset"].read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2, "a dataset file is added to"
    result, _ = dataset_record.parse(lines[0])
    assert result.video
    assert result.video.path == Path("clip.mp4")
    page = files["html"].read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == len(result.captions) > 1
    assert files["csv"].read_text(encoding="utf-8-sig").startswith("caption,start_s")


def test_a_report_of_many_keyframes_stays_a_file_one_can_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sgv_demo.cli import main
    from sgv_demo.formats import thumbnails
    from tests.support.video_files import write_clip

    monkeypatch.setattr(thumbnails, "FEW", 2)
    monkeypatch.setattr(thumbnails, "SIDE", 100)
    clip, page = tmp_path / "clip.mp4", tmp_path / "page.html"
    write_clip(clip)
    assert main(["caption", str(clip), "--engine", "measured", "--no-text", "--all", "--html", str(page)]) == 0
    widths = re.findall(r'viewBox="0 0 (\d+) \d+"><image', page.read_text(encoding="utf-8"))
    assert len(widths) > 2
    assert widths == ["100"] * 2 + ["50"] * (len(widths) - 2)


def test_the_report_leads_with_a_cover_the_summary_a_timeline_and_chapters() -> None:
    cut = replace(EVIDENCE, start=0.0, end=2.0, cuts=(1.25,))
    run = analysis(evidence=(cut, replace(EVIDENCE, start=2.0, end=4.0, cuts=())))
    html = to_html(run, pictures={mark.index: _jpeg() for mark in run.keyframes})
    order = [
        html.index(part)
        for part in ('class="cover"', "<h2>Summary", 'class="timeline"', "<h2>Chapters", "<h2>Captions")
    ]
    assert order == sorted(order)
    assert html.index("<h2>How it was made") > order[-1]
    chapters = re.findall(r'<li><a href="#c(\d+)">([^<]+)</a>', html)
    assert [span for _, span in chapters] == ["0:00 → 0:01", "0:01 → 0:04"]
    assert all(f'<article id="c{index}"' in html for index, _ in chapters)
    assert run.video
    assert f'<a href="{quote(run.video.path.name)}#t=2">' in html
    assert html.count("data:image/jpeg") == len(run.keyframes), "each picture once, the cover's too"
    assert "<script" not in html


def test_a_report_of_one_shot_without_pictures_has_no_chapters_and_no_cover() -> None:
    run = analysis(evidence=(replace(EVIDENCE, cuts=()),), samples=())
    html = to_html(run)
    for part in ('class="cover"', 'class="timeline"', "<h2>Chapters"):
        assert part not in html
