"""The page put together: components, their places and which handler answers which event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import gradio as gr

from sgv_demo.ui import render, theme
from sgv_demo.ui.controls import Controls
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.handlers import Updates, VideoHandlers
from sgv_demo.ui.tabs import ask, captions, summary, video
from sgv_demo.ui.visit import Visit

log = logging.getLogger(__name__)

TITLE = "ShareGPT4Video"
GPU = "gpu"
"""All events that run a model share one queue: there is one device."""
_CONTROLS = (
    "engine", "mode", "every", "similarity", "threshold", "start", "end", "maximum", "keep_all", "read_text",
    "decoding", "max_new_tokens",
)  # fmt: skip
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Page:
    """The components by name, and the wiring between them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.parts: dict[str, Any] = {}
        self.handlers = VideoHandlers(desk)

    def build(self) -> None:
        """Inside a `gr.Blocks`: makes everything."""
        desk, settings = self.desk, self.desk.settings
        parts = self.parts
        parts["visit"] = gr.State(Visit(), time_to_live=settings.state_minutes * 60)
        parts["feed"] = gr.HTML(
            None, html_template="<i hidden></i>", js_on_load="sgv.feed(props, watch)", elem_id="feed"
        )
        self._header()
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="left", scale=9, min_width=320):
                self._left()
            with gr.Column(elem_id="right", scale=11, min_width=320), gr.Tabs(elem_id="tabs"):
                with gr.Tab("1 Video", id="video"):
                    parts |= video.build(any(c.name != "measured" for c in desk.choices))
                with gr.Tab("2 Captions", id="captions") as parts["tab_captions"]:
                    parts |= captions.build()
                with gr.Tab("3 Summary", id="summary"):
                    parts |= summary.build()
                with gr.Tab("4 Ask", id="ask") as parts["tab_ask"]:
                    parts |= ask.build(any(c.name != "measured" for c in desk.choices))
        self._wire()

    def _header(self) -> None:
        desk, parts = self.desk, self.parts
        names = [(c.label, c.name) for c in desk.choices if c.load_captioner]
        answerers = [(c.label, c.name) for c in desk.choices if c.load_answerer]
        info = desk.info(names[0][1])
        parts["header"] = gr.HTML(render.header(TITLE, info), elem_id="header")
        with gr.Column(elem_id="engine-panel", elem_classes="panel"):
            parts["engine"] = gr.Radio(names, value=names[0][1], label="Captions by")
            parts["answerer"] = gr.Radio(answerers, value=answerers[0][1], label="Answers by")
            parts["engine_state"] = gr.HTML("", elem_id="engine-state")
        gr.HTML(render.about(desk.settings), elem_id="about-panel", elem_classes="panel")
        parts["status"] = gr.HTML(render.status_line(info, desk.settings), elem_id="status")

    def _left(self) -> None:
        parts = self.parts
        parts["player"] = gr.Video(
            sources=["upload", "webcam"],
            include_audio=True,
            interactive=True,
            show_label=False,
            label="Video",
            elem_id="player",
            height=None,
            buttons=[],
        )
        gr.HTML(render.unplayable(), elem_id="unplayable")
        parts["examples"] = gr.HTML(
            render.examples(self.desk.examples, self.desk.settings),
            js_on_load="element.addEventListener('click', (e) => { const b = e.target.closest('[data-example]'); "
            "if (b) trigger('pick', { index: Number(b.dataset.example) }); })",
            elem_id="examples",
        )
        parts["timeline"] = gr.HTML(
            "", js_on_load="sgv.timeline(element, (range) => trigger('range', range))", elem_id="timeline"
        )
        gr.HTML(
            '<div class="list strip" data-list="keys" aria-label="Keyframes"></div>',
            js_on_load="sgv.mount(element)",
            elem_id="strip",
        )
        with gr.Row(elem_id="actions"):
            parts["run"] = gr.Button("Run", variant="primary", interactive=False, elem_id="run", min_width=120)
            parts["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", min_width=80, scale=0)
            parts["restart"] = gr.Button("Start over", visible=False, elem_id="restart", min_width=100, scale=0)
        parts["progress"] = gr.HTML("", elem_id="progress")

    def _wire(self) -> None:
        parts, video_events = self.parts, self.handlers
        controls = [parts[name] for name in _CONTROLS]
        state = [parts["visit"], *controls]
        everything = list(parts.values())

        begin = self._on(parts["run"].click, video_events.begin, state, queue=False)
        running = self._then(begin, video_events.run, state)
        over = self._on(parts["restart"].click, video_events.restart, state, queue=False)
        running_over = self._then(over, video_events.run, state)
        runs = [running, running_over]
        self._on(parts["stop"].click, video_events.stop, state, queue=False, cancels=runs)
        parts["player"].change(
            self._named(lambda visit, path, *values: video_events.probe(visit, path, Controls(*values))),
            [parts["visit"], parts["player"], *controls],
            everything,
            cancels=runs,
            concurrency_limit=8,
            **_PRIVATE,
        )
        for name in _CONTROLS:
            self._on(parts[name].change, video_events.adjust, state, queue=False, trigger_mode="always_last")
        parts["examples"].pick(self._picked, None, [parts["player"]], queue=False, **_PRIVATE)
        parts["timeline"].range(_ranged, None, [parts["start"], parts["end"]], queue=False, **_PRIVATE)

    def _picked(self, event: gr.EventData) -> str:
        index = int(event.index)  # pyright: ignore[reportAttributeAccessIssue]
        return str(self.desk.examples[index])

    def _on(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any], **how: Any) -> Any:
        """Binds a handler of (visit, controls)."""
        made = self._named(lambda visit, *values: handler(visit, Controls(*values)))
        return event(made, inputs, list(self.parts.values()), **(_PRIVATE | how))

    def _then(self, event: Any, handler: Callable[..., Iterator[Updates]], inputs: list[Any]) -> Any:
        """Binds the generator that follows; its place in the queue shows on the progress line."""

        def run(visit: Visit, *values: Any) -> Iterator[dict[Any, Any]]:
            for updates in handler(visit, Controls(*values)):
                yield self._components(updates)

        return event.then(
            run,
            inputs,
            list(self.parts.values()),
            concurrency_id=GPU,
            concurrency_limit=1,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=[self.parts["progress"]],
        )

    def _named(self, handler: Callable[..., Updates]) -> Callable[..., dict[Any, Any]]:
        @wraps(handler)
        def call(*values: Any) -> dict[Any, Any]:
            return self._components(handler(*values))

        return call

    def _components(self, updates: Updates) -> dict[Any, Any]:
        return {self.parts[name]: value for name, value in updates.items()}


def _ranged(event: gr.EventData) -> tuple[float, float | None]:
    start, end = float(event.start), float(event.end)  # pyright: ignore[reportAttributeAccessIssue]
    return round(start, 2), round(end, 2) or None


def build_app(desk: Desk) -> gr.Blocks:
    """The page for a desk; launch it with `launch_options`."""
    page = Page(desk)
    with gr.Blocks(
        title=f"{TITLE}: captions that see what changes",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(1800, max(3600, desk.settings.state_minutes * 120)),
    ) as app:
        page.build()
    app.queue(max_size=desk.settings.max_queue, api_open=False)
    return app


def launch_options(desk: Desk) -> dict[str, Any]:
    """What `Blocks.launch` needs for this page."""
    desk.store.root.mkdir(parents=True, exist_ok=True)
    return {
        "theme": theme.theme(),
        "css": theme.stylesheet(),
        "head": theme.head(),
        "allowed_paths": [str(desk.store.root.resolve()), *(str(path) for path in desk.examples)],
        "max_file_size": f"{desk.settings.max_megabytes}mb",
        "footer_links": ["api", "gradio"],
        "run_history": False,
        "ssr_mode": False,
        "show_error": False,
    }
