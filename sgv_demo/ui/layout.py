"""The page put together: components and their places. What answers which event is in `binder`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from sgv_demo.engines import MEASURED
from sgv_demo.formats.markup import macros
from sgv_demo.settings import Settings
from sgv_demo.ui import api, headers, theme
from sgv_demo.ui import frame as masthead
from sgv_demo.ui import language as words
from sgv_demo.ui.ask import layout as ask
from sgv_demo.ui.binder import Page
from sgv_demo.ui.captions import layout as captions
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.engines import ownserver
from sgv_demo.ui.engines.handlers import TITLE, EngineHandlers
from sgv_demo.ui.inspect import layout as inspection
from sgv_demo.ui.language import say
from sgv_demo.ui.show import layout as show
from sgv_demo.ui.summary import layout as summary
from sgv_demo.ui.uploads import Uploads
from sgv_demo.ui.video import layout as video
from sgv_demo.ui.visit import Talk, Visit

_SPOKEN = "() => sgv.words.spoken()"
"""The page's language: gradio has chosen it when the page has loaded."""


def build_app(desk: Desk) -> gr.Blocks:
    """The page for a desk; launch it with `launch_options`."""
    with gr.Blocks(
        title=f"{TITLE}: captions that see what changes",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(1800, max(3600, desk.settings.state_minutes * 120)),
    ) as app:
        parts = _components(desk)
        page = Page(desk, parts)
        page.bind()
        spoken = page.on.now(app.load, lambda language: {"language": language}, [parts["language"]], js=_SPOKEN)
        page.on.now(spoken.then, page.show.example, [parts["language"]])
        # An empty number is shown as 0 until it is emptied once.
        empty = [parts["end"], parts["maximum"]]
        app.load(lambda: [None, None], None, empty, queue=False, api_visibility="private", show_progress="hidden")
        api.build(desk)
    app.queue(max_size=desk.settings.max_queue, api_open=False)
    return app


def launch_options(desk: Desk) -> dict[str, Any]:
    """What `Blocks.launch` needs for this page.

    No run history: it would keep a visitor's videos and questions in the browser of a shared computer.
    """
    return {
        "theme": theme.theme(),
        "css": theme.stylesheet(),
        "head": theme.head(),
        "allowed_paths": [str(path) for path in desk.examples],
        "app_kwargs": {
            "routes": desk.served.routes(),
            "middleware": [_guard(desk.settings), Middleware(Uploads, settings=desk.settings)],
        },
        "state_session_capacity": desk.settings.max_sessions,
        "max_file_size": f"{desk.settings.max_megabytes}mb",
        "footer_links": ["api", "gradio", "settings"],
        "i18n": words.I18N,
        "run_history": False,
        "mcp_server": find_spec("mcp") is not None,  # the extra gradio[mcp]
        "ssr_mode": False,
        "show_error": False,
    }


def _guard(settings: Settings) -> Middleware:
    csp = headers.policy(theme.head(), settings.framing, settings.space)
    return Middleware(headers.Guarded, csp=csp, hosts=headers.allowed_hosts(settings.allowed_hosts, settings.host))


def _components(desk: Desk) -> dict[str, Any]:
    """Makes everything; returns the components by name."""
    idle = desk.settings.state_minutes * 60
    parts: dict[str, Any] = {
        "visit": gr.State(Visit(), time_to_live=idle),
        "talk": gr.State(Talk(), time_to_live=idle),
        "feed": gr.HTML(None, html_template="<i hidden></i>", js_on_load="sgv.feed(props, watch)", elem_id="feed"),
    }
    parts |= inspection.channel(desk) | _header(desk)
    parts |= show.stage()
    with gr.Row(elem_id="main"):
        with gr.Column(elem_id="left", scale=9, min_width=320):
            parts |= inspection.replay()
            parts |= _left(desk)
        with gr.Column(elem_id="right", scale=11, min_width=320):
            gr.HTML(masthead.rooms(), elem_id="rooms")
            with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as parts["tabs"]:
                with gr.Tab(say("1 Video"), id="video"):
                    parts |= video.build(desk.captioners.names()[0] != MEASURED.name, desk.settings)
                    parts |= show.example()
                with gr.Tab("2 Captions", id="captions", elem_id="captions-tab") as parts["tab_captions"]:
                    parts |= inspection.bar()
                    parts |= captions.build()
                with gr.Tab(say("3 Summary"), id="summary"):
                    parts |= summary.build()
                with gr.Tab("4 Ask", id="ask") as parts["tab_ask"]:
                    parts |= ask.build(desk.answerers.names()[0] != MEASURED.name, desk.settings)
                parts |= inspection.tabs(desk)
    return parts


def _header(desk: Desk) -> dict[str, Any]:
    captioners = [(c.label, c.name) for c in desk.choices if c.load_captioner]
    answerers = [(c.label, c.name) for c in desk.choices if c.load_answerer]
    engine, answerer = captioners[0][1], answerers[0][1]
    shown = EngineHandlers(desk).view(engine, answerer)
    parts: dict[str, Any] = {"header": gr.HTML(shown["header"], elem_id="header")}
    with gr.Column(elem_id="engine-panel"):
        parts["engine"] = gr.Radio(captioners, value=engine, label=say("Captions by"))
        parts["answerer"] = gr.Radio(answerers, value=answerer, label=say("Answers by"))
        parts["engine_state"] = gr.HTML(shown["engine_state"], elem_id="engine-state")
        with gr.Row(elem_classes="buttons"):
            parts["load"] = gr.Button(say("Load now"), size="sm", min_width=100, elem_id="load")
            parts["unload"] = gr.Button(say("Unload"), size="sm", min_width=100, interactive=False)
        if desk.settings.visitor_urls:
            parts |= ownserver.build()
    gr.HTML(masthead.about(desk.settings), elem_id="about-panel")
    parts["status"] = gr.HTML(shown["status"], elem_id="status")
    return parts


def _left(desk: Desk) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    parts["player"] = gr.Video(
        sources=["upload", "webcam"],
        include_audio=True,
        interactive=True,
        show_label=False,
        label=say("Video"),
        elem_id="player",
        buttons=[],
    )
    gr.HTML(masthead.unplayable(), elem_id="unplayable")
    parts["examples"] = gr.HTML(
        masthead.examples(desk.examples, desk.settings),
        js_on_load="sgv.picks(element, (index) => trigger('pick', { index }))",
        elem_id="examples",
    )
    parts["timeline"] = gr.HTML(
        "", js_on_load="sgv.timeline(element, (range) => trigger('range', range))", elem_id="timeline"
    )
    gr.HTML(
        macros("video").strip(),
        js_on_load="sgv.strip.mount(element)",
        elem_id="strip",
    )
    with gr.Row(elem_id="actions"):
        parts["run"] = gr.Button("Run", variant="primary", interactive=False, elem_id="run", min_width=120)
        parts["stop"] = gr.Button(say("Stop"), interactive=False, elem_id="stop", min_width=80, scale=0)
        parts["restart"] = gr.Button(say("Start over"), visible=False, elem_id="restart", min_width=116, scale=0)
    parts["progress"] = gr.HTML("", elem_id="progress")
    return parts
