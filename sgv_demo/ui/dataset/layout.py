"""The dataset: a file of annotations, searched and read."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.language import say


def build(offered: str) -> dict[str, Any]:
    """`offered`: name of the annotation file that the operator provides, or empty."""
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
    return made
