"""The dataset: a file of annotations, searched and read."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.language import say

RULES = [
    (say("Published rules"), "published"),
    (say("The benchmark's own rules"), "original"),
    (say("Strict rules"), "strict"),
]
SHOWN = [
    (say("All"), "all"),
    (say("Correct"), "right"),
    (say("Wrong"), "wrong"),
    (say("Unmatched"), "unmatched"),
    (say("Unreadable"), "unreadable"),
    (say("Flipped against"), "flipped"),
]


def build(offered: str, benchmarks: list[str]) -> dict[str, Any]:
    """
    Args:
        offered: name of the annotation file that the operator provides, or empty.
        benchmarks: names of the benchmarks and runs that the operator provides.
    """
    made: dict[str, Any] = {"dataset": gr.State("")}
    with gr.Row(elem_id="dataset-open"):
        made["dataset_file"] = gr.UploadButton(
            say("Open an annotation file…"),
            file_types=[".jsonl", ".json"],
            size="md",
            min_width=200,
            elem_id="dataset-file",
        )
        made["dataset_offered"] = gr.Button(f"Open {offered}", visible=bool(offered), size="md", min_width=160)
    made["dataset_about"] = gr.HTML(dataset_view.welcome(), elem_id="dataset-about")
    with gr.Column(visible=False, elem_id="dataset-search") as made["dataset_search"]:
        with gr.Row():
            made["dataset_words"] = gr.Textbox(
                label=say("Words"),
                placeholder='camera pan* "red car"',
                scale=3,
                min_width=220,
                elem_id="dataset-words",
            )
            made["dataset_folder"] = gr.Dropdown(
                [(say("All folders"), "*")], value="*", label=say("Source folder"), min_width=160
            )
        with gr.Row():
            made["dataset_engine"] = gr.Dropdown(
                [(say("All engines"), "*")], value="*", label=say("Written by"), min_width=160, visible=False
            )
            made["dataset_rating"] = gr.Dropdown(
                [(say("Any rating"), "*")], value="*", label=say("A caption rated"), min_width=160, visible=False
            )
        with gr.Row():
            made["dataset_shortest"] = gr.Number(0, label=say("Characters from"), precision=0, min_width=110)
            made["dataset_longest"] = gr.Number(0, label=say("to (0: any)"), precision=0, min_width=110)
            made["dataset_find"] = gr.Button(say("Search"), variant="primary", min_width=100)
            made["dataset_random"] = gr.Button(say("Random one"), min_width=110)
    made["dataset_found"] = gr.State([])
    made["dataset_record"] = gr.HTML(
        "", js_on_load="sgv.room.records(element, (what) => trigger('record', what))", elem_id="dataset-record"
    )
    made["dataset_results"] = gr.HTML(
        "", js_on_load="sgv.room.records(element, (what) => trigger('record', what))", elem_id="dataset-results"
    )
    with gr.Column(visible=bool(benchmarks), elem_id="benchmarks"):
        made |= _benchmarks(benchmarks)
    return made


def _benchmarks(names: list[str]) -> dict[str, Any]:
    """Questions of a benchmark, and a run's answers."""
    made: dict[str, Any] = {"benchmark_found": gr.State([])}
    with gr.Row():
        made["benchmark"] = gr.Dropdown(names, value=None, label=say("Benchmark or run"), min_width=180)
        made["benchmark_rules"] = gr.Dropdown(RULES, value="published", label=say("Rules"), min_width=150)
        made["benchmark_task"] = gr.Dropdown([(say("All tasks"), "")], value="", label=say("Task"), min_width=160)
    with gr.Row():
        made["benchmark_show"] = gr.Dropdown(SHOWN, value="all", label=say("Answers"), min_width=150)
        made["benchmark_other"] = gr.Dropdown([], value=None, label=say("Another run"), min_width=160)
    made["benchmark_about"] = gr.HTML("", elem_id="benchmark-about")
    for part in ("record", "results"):
        made[f"benchmark_{part}"] = gr.HTML(
            "", js_on_load="sgv.room.records(element, (what) => trigger('record', what))", elem_id=f"benchmark-{part}"
        )
    return made
