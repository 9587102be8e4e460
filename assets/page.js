// The page's own behaviour: seeking, keyed lists, find, timeline, copy, theme. Talks to Python only through Gradio's
// components (see sgv_demo/ui). Nothing here builds HTML from a model's text: items arrive escaped.
"use strict";
window.sgv = (() => {
  const lists = { cards: new Map(), keys: new Map(), chat: new Map() };
  let run = null;
  const player = () => document.querySelector("#replay video, #player video");

  function seek(seconds, play) {
    const video = player();
    if (!video) return;
    video.currentTime = Math.max(0, seconds);
    if (play && video.paused) video.play().catch(() => {});
    mark();
  }

  // ---- keyed lists: each item is replaced part by part, so that pictures, focus and open details stay
  const itemOf = (list, key) => list.querySelector(`:scope > [data-key="${CSS.escape(key)}"]`);

  function put(list, name, key, html) {
    let item = itemOf(list, key);
    if (!item) {
      item = document.createElement(name === "keys" ? "figure" : "article");
      item.dataset.key = key;
      item.className = name === "keys" ? "key-figure" : name === "cards" ? "card" : "turn";
      const after = [...list.children].find((other) => Number(other.dataset.key) > Number(key));
      list.insertBefore(item, after || null);
    }
    if (item.sgvHtml === html) return item;
    const streamed = !!item.querySelector(".caret");
    item.sgvHtml = html;
    queueMicrotask(() => {
      const span = item.querySelector("[data-start]")?.dataset;
      if (span) item.sgvSpan = [Number(span.start), Number(span.end)];
      if (streamed && !item.querySelector(".caret")) say(item.querySelector(".answer, .text")?.innerText ?? "");
    });
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    sgv.words.translate(fresh.content);
    const parts = [...fresh.content.querySelectorAll("[data-part]")];
    const mine = new Map([...item.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));
    if (!parts.length || parts.length !== mine.size || parts.some((p) => !mine.has(p.dataset.part))) {
      item.replaceChildren(fresh.content);
      return item;
    }
    for (const part of parts) {
      const old = mine.get(part.dataset.part);
      if (!old.isEqualNode(part)) old.replaceWith(part);
    }
    return item;
  }

  // For screen readers: a finished text once, not every token of it.
  function say(text) {
    let region = document.querySelector("#said");
    if (!region) {
      region = Object.assign(document.createElement("div"), { id: "said", className: "sr" });
      region.setAttribute("aria-live", "polite");
      region.translate = false;
      document.querySelector(".gradio-container")?.append(region);
    }
    region.textContent = text.trim();
  }

  function apply(patch) {
    if (!patch || typeof patch !== "object") return;
    const views = (name) => document.querySelectorAll(`.list[data-list="${name}"]`);
    if (patch.run !== run) {
      run = patch.run;
      for (const name of ["cards", "keys"]) { lists[name].clear(); views(name).forEach((v) => v.replaceChildren()); }
    }
    if (patch.clear) { lists[patch.clear].clear(); views(patch.clear).forEach((v) => v.replaceChildren()); }
    for (const [name, items] of Object.entries(patch.lists || {})) {
      for (const [key, html] of Object.entries(items)) {
        lists[name].set(key, html);
        views(name).forEach((view) => put(view, name, key, html));
      }
    }
    for (const [name, size] of Object.entries(patch.size || {})) {
      for (const key of [...lists[name].keys()]) if (Number(key) >= size) lists[name].delete(key);
      views(name).forEach((view) => [...view.children].forEach((c) => Number(c.dataset.key) >= size && c.remove()));
    }
    if (patch.lists?.cards || patch.live !== undefined) {
      views("cards").forEach((view) => [...view.children].forEach((c) => {
        const live = c.dataset.key === patch.live;
        if (c.classList.contains("live") !== live) { c.classList.toggle("live", live); c.setAttribute("aria-busy", live); }
      }));
      bring(views("cards")[0]?.querySelector(".card"));
      follow(views("cards")[0]);
    }
    if (patch.lists?.chat) views("chat").forEach((view) => view.lastElementChild?.scrollIntoView({ block: "nearest" }));
    find();
    mark();
  }

  // The page shows when its parts have come; should one never come, it shows all the same.
  function ready() {
    const root = document.documentElement;
    root.classList.add("sgv-loading");
    const look = () => document.querySelector(".top") && document.querySelector("#player :is(input[type=file], video), #replay :is(video, p)") && show();
    const come = new MutationObserver(look);
    const show = () => { come.disconnect(); root.classList.remove("sgv-loading"); };
    come.observe(root, { childList: true, subtree: true });
    setTimeout(show, 4000);
  }

  // On a narrow screen the first caption of a run comes into view, unless the visitor went elsewhere since Run.
  let wait = false;
  for (const type of ["wheel", "touchmove", "keydown"]) document.addEventListener(type, () => { wait = false; }, { passive: true });
  document.addEventListener("click", (event) => { if (event.target.closest("#run")) wait = matchMedia("(max-width: 820px)").matches; });

  function bring(card) {
    if (!wait || !card?.offsetParent) return;
    wait = false;
    card.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  // A visitor who reads at the end of the list goes along with it; one who scrolled up stays.
  function follow(list) {
    const live = list?.querySelector(".card.live");
    if (!live || !list.offsetParent) return;
    const bottom = live.getBoundingClientRect().bottom - window.innerHeight;
    if (bottom > 0 && bottom < 420) window.scrollBy({ top: bottom + 24 });
  }

  function mount(element) {
    element.querySelectorAll(".list[data-list]").forEach((view) => {
      for (const [key, html] of lists[view.dataset.list]) put(view, view.dataset.list, key, html);
    });
    find();
  }

  function feed(props, watch) {
    watch("value", () => apply(props.value));
  }

  // ---- find in captions
  function find() {
    const field = document.querySelector("#find input");
    if (!field) return;
    const words = field.value.trim().toLowerCase();
    const ranges = [];
    let shown = 0;
    document.querySelectorAll('.list[data-list="cards"] > .card').forEach((card) => {
      const text = card.querySelector(".text");
      const hit = !words || card.textContent.toLowerCase().includes(words);
      card.hidden = !hit;
      shown += hit;
      if (hit && words && text) ranges.push(...rangesOf(text, words));
    });
    const said = document.querySelector("#find output");
    if (said) said.textContent = words ? `${shown} found` : "";
    if (window.Highlight && CSS.highlights) CSS.highlights.set("find", new Highlight(...ranges));
  }

  function rangesOf(element, words) {
    const found = [];
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.toLowerCase();
      for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
        const range = new Range();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + words.length);
        found.push(range);
      }
    }
    return found;
  }

  // ---- timeline: a click goes there, a drag chooses a range, the playhead follows the player
  function timeline(element, choose) {
    let from = null;
    const at = (plot, event) => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    const seconds = (part) => {
      const { first, last } = element.querySelector(".timeline").dataset;
      return Number(first) + part * (Number(last) - Number(first));
    };
    const draw = (plot, a, b) => {
      const range = plot.querySelector(".range");
      range.style.left = `${100 * Math.min(a, b)}%`;
      range.style.width = `${100 * Math.abs(b - a)}%`;
      plot.parentElement.classList.remove("whole");
    };
    element.addEventListener("pointerdown", (event) => {
      const plot = event.target.closest(".plot");
      if (!plot) return;
      from = { part: at(plot, event), x: event.clientX };
      element.setPointerCapture?.(event.pointerId);
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => {
      const plot = element.querySelector(".plot");
      if (from && plot && Math.abs(event.clientX - from.x) > 4) draw(plot, from.part, at(plot, event));
    });
    element.addEventListener("pointerup", (event) => {
      const plot = element.querySelector(".plot");
      if (!from || !plot) return;
      const [a, b, moved] = [from.part, at(plot, event), Math.abs(event.clientX - from.x) > 4];
      from = null;
      if (!moved) return seek(seconds(b));
      choose({ start: seconds(Math.min(a, b)), end: seconds(Math.max(a, b)) });
    });
    element.addEventListener("dblclick", (event) => {
      if (event.target.closest(".plot")) choose({ start: 0, end: 0 });
    });
    element.addEventListener("pointermove", (event) => {
      const plot = event.target.closest(".plot");
      plot && event.pointerType === "mouse" ? peek(element, plot, at(plot, event), seconds(at(plot, event))) : unpeek(element);
    });
    element.addEventListener("pointerleave", () => unpeek(element));
    new MutationObserver(mark).observe(element, { childList: true, subtree: true });
  }

  // Under the mouse: the time there and the keyframe that is shown until then.
  function peek(element, plot, part, seconds) {
    let box = element.querySelector(".peek");
    if (!box) {
      box = Object.assign(document.createElement("div"), { className: "peek" });
      box.setAttribute("aria-hidden", "true");
      box.append(new Image(), document.createElement("span"));
      element.querySelector(".timeline").append(box);
    }
    const keys = [...document.querySelectorAll("#strip .key-figure .frame")];
    const last = keys.filter((key) => Number(key.dataset.seek) <= seconds + 0.001).at(-1)?.querySelector("img");
    const [picture, time] = box.children;
    picture.hidden = !last;
    if (last && picture.src !== last.src) picture.src = last.src;
    time.textContent = clock(seconds);
    box.style.left = `clamp(50px, ${100 * part}%, calc(100% - 50px))`;
  }

  const unpeek = (element) => element.querySelector(".peek")?.remove();

  function clock(seconds) {
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
    const two = (number) => String(number).padStart(2, "0");
    return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  }

  // Playhead, and the card that belongs to the player's time.
  function mark() {
    const video = player();
    const head = document.querySelector(".timeline .playhead");
    if (!video) return;
    const now = video.currentTime;
    if (head) {
      const { first, last } = head.closest(".timeline").dataset;
      head.style.left = `${100 * Math.min(1, Math.max(0, (now - first) / (last - first)))}%`;
    }
    document.querySelectorAll('.list[data-list="cards"] > .card').forEach((card) => {
      const [start, end] = card.sgvSpan ?? [NaN, NaN];
      const here = now >= start && (now < end || (start === end && now === start));
      if (card.classList.contains("here") !== here) card.classList.toggle("here", here);
    });
  }

  // ---- one listener for all buttons
  async function copy(button) {
    const box = button.closest("article, .copyable");
    const text = box?.querySelector(".answer, .text")?.innerText.trim() ?? "";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const words = [...button.childNodes]; // not their text: it may be a translation
    button.replaceChildren(sgv.room.icon("done"), button.ariaLabel ? "" : " Copied");
    setTimeout(() => button.replaceChildren(...words), 1200);
  }

  function subtitles(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    showSubtitles();
  }

  // As the switch says; new ones, after an edit, begin switched on.
  function showSubtitles() {
    const on = document.querySelector("[data-cc]")?.getAttribute("aria-pressed") !== "false";
    for (const track of player()?.textTracks ?? []) track.mode = on ? "showing" : "hidden";
  }

  function keepAll(button) {
    const keep = () => { const box = document.querySelector("#keep-all input"); if (box && !box.checked) box.click(); return box; };
    if (!keep()) { document.querySelector("#options button")?.click(); setTimeout(keep, 200); } // folded, its fields aren't there
    button.parentElement.textContent = "Every sample will be kept. Press Run.";
    document.querySelector("#run")?.focus();
  }

  // Gradio's player takes what the browser calls a video; the reader takes more (.ts, .mxf, .gif, no ending at all) and
  // says itself what it can't read. So every file passes as a video, chosen or dropped.
  const asVideo = (file) => (file.type.startsWith("video/") ? file : new File([file], file.name, { type: "video/mp4" }));
  function give(input, files) {
    const all = new DataTransfer();
    [...files].map(asVideo).forEach((file) => all.items.add(file));
    input.files = all.files;
  }
  const chooser = (target) => (target.matches?.("#player input[type=file]") ? target : null);
  document.addEventListener("click", (event) => chooser(event.target)?.removeAttribute("accept"), true);
  document.addEventListener("change", (event) => { const input = chooser(event.target); if (input) give(input, input.files); }, true);
  document.addEventListener("drop", (event) => {
    const input = event.target.closest?.("#player")?.querySelector("input[type=file]");
    if (!input || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    give(input, event.dataTransfer.files);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, true);

  // Chooses the engine in its panel, where one sees how far its download is, and presses Load.
  function fetchModel(name) {
    panel("engine-panel", true);
    [...document.querySelectorAll("#engine-panel input[type=radio]")].filter((box) => box.value === name).forEach((box) => box.click());
    setTimeout(() => document.querySelector("#load")?.click(), 400);
  }

  function theme(dark) {
    document.body.classList.toggle("dark", dark);
    try { localStorage.setItem("sgv-theme", dark ? "dark" : "light"); } catch { /* private mode */ }
  }

  function panel(name, open) {
    document.querySelectorAll("#engine-panel, #about-panel").forEach((p) => p.classList.toggle("open", p.id === name && (open ?? !p.classList.contains("open"))));
    document.querySelectorAll("[data-panel]").forEach((b) => b.setAttribute("aria-expanded",
      String(!!document.querySelector(`#${b.dataset.panel}.open`))));
  }

  // The rooms' own tabs are hidden; their buttons show which is open, whoever opened it.
  function rooms() {
    document.querySelectorAll("[data-open]").forEach((b) => b.setAttribute("aria-pressed",
      document.getElementById(`${b.dataset.open}-button`)?.getAttribute("aria-selected") ?? "false"));
  }

  new MutationObserver(rooms).observe(document, { subtree: true, attributeFilter: ["aria-selected"] });

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seek],[data-copy],[data-panel],[data-theme],[data-cc],[data-open],[data-language],[data-keep],[data-fetch]");
    if (!event.target.closest("#engine-panel, #about-panel") && !event.target.closest("[data-panel], [data-fetch]")) panel("", false);
    if (!target) return;
    const data = target.dataset;
    if ("seek" in data) seek(Number(data.seek));
    else if ("copy" in data) copy(target);
    else if ("panel" in data) panel(data.panel);
    else if ("open" in data) document.getElementById(`${data.open}-button`)?.click();
    else if ("cc" in data) subtitles(target);
    else if ("theme" in data) theme(!document.body.classList.contains("dark"));
    else if ("keep" in data) keepAll(target);
    else if ("fetch" in data) fetchModel(data.fetch);
    else if ("language" in data) document.querySelector("footer .settings")?.click();
  });
  document.addEventListener("input", (event) => { if (event.target.closest("#find")) find(); });
  document.addEventListener("timeupdate", mark, true);
  document.addEventListener("seeked", mark, true);
  document.addEventListener("error", (event) => {
    if (!event.target.matches?.("#player video")) return;
    event.stopImmediatePropagation(); // else gradio says it, too, over the page
    document.querySelector("#unplayable")?.classList.add("shown");
  }, true);
  document.addEventListener("loadeddata", (event) => {
    if (event.target.matches?.("#player video")) document.querySelector("#unplayable")?.classList.remove("shown");
  }, true);
  document.addEventListener("load", (event) => { if (event.target.matches?.("#player track")) showSubtitles(); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") panel("", false);
    if (event.key === "/" && !event.target.closest("input,textarea,[contenteditable]")) {
      const field = document.querySelector("#find input");
      if (field?.offsetParent) { field.focus(); event.preventDefault(); }
    }
  });
  function remembered() {
    let wanted = null;
    try { wanted = localStorage.getItem("sgv-theme"); } catch { /* private mode */ }
    if (wanted && !new URLSearchParams(location.search).has("__theme")) {
      const set = () => document.body.classList.toggle("dark", wanted === "dark");
      set();
      setTimeout(set, 400);
    }
  }
  ready();
  // Gradio may add this script before or after the document is complete.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", remembered); else remembered();

  function acts(element, act) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (!button) return;
      act({ act: button.dataset.act, turn: Number(button.dataset.turn) });
      if (button.dataset.act !== "retry") setTimeout(() => document.querySelector("#question textarea")?.focus(), 300);
    });
  }

  function asks(element, ask) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-ask]");
      if (button) ask(button.dataset.ask);
    });
  }

  function picks(element, pick) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-example]");
      if (button) pick(Number(button.dataset.example));
    });
    const playing = (event, on) => {
      const clip = event.target.closest?.(".example")?.querySelector("video");
      if (clip && !matchMedia("(prefers-reduced-motion: reduce)").matches) on ? clip.play().catch(() => {}) : clip.pause();
    };
    element.addEventListener("pointerover", (event) => playing(event, true));
    element.addEventListener("pointerout", (event) => playing(event, false));
  }

  return { feed, mount, timeline, seek, acts, asks, picks };
})();
