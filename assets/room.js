// The inspection room in the browser: what a visitor says about captions, their history, links, keys, comparing.
// Reviews and the history are kept in this browser alone. Texts are put in as text, never as HTML.
"use strict";
sgv.room = (() => {
  const RATINGS = [["accurate", "Accurate"], ["missing something", "Missing"], ["made up", "Made up"], ["wrong order", "Order"]];
  const MEANT = ["True to the frames", "Something that matters is missing", "Something isn't there", "The order of events is wrong"];
  const KEYS = [["j / k", "next, previous caption"], ["space", "play this caption's span"], ["1 2 3 4", "accurate, missing something, made up, wrong order"],
    ["e", "edit the text"], ["n", "write a note"], ["f", "flag"], ["o", "enlarge the frames"], ["/", "find in captions"], ["?", "these keys"]];
  const state = { run: null, coming: null, key: null, mine: true, verdicts: new Map(), asked: {}, current: null, until: null };
  let act = () => {};
  let sending = 0;
  let start = Number(new URLSearchParams(location.search).get("t") ?? NaN);

  const el = (tag, props = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), props);
    made.append(...children);
    return made;
  };
  const icon = (name) => Object.assign(el("i", { className: `icon ${name}` }), { ariaHidden: "true" });
  const saved = (name, fallback) => {
    try { return JSON.parse(localStorage.getItem(name)) ?? fallback; } catch { return fallback; }
  };
  const save = (name, value) => {
    try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, JSON.stringify(value)); } catch { /* private mode, or full */ }
  };
  const player = () => document.querySelector("#replay video") ?? document.querySelector("#player video");
  const cards = () => [...document.querySelectorAll('.list[data-list="cards"] > .card')].filter((card) => !card.hidden);
  const indexOf = (card) => Number(card.dataset.key);
  const verdict = (index) => state.verdicts.get(index) ?? { index, rating: null, text: null, note: "", flagged: false };

  // ---- verdicts: kept here at once, sent in one piece a moment after the last one
  function put(index, change) {
    if (!state.mine) return;
    const next = { ...verdict(index), ...change };
    const blank = !next.rating && next.text === null && !next.note && !next.flagged;
    blank ? state.verdicts.delete(index) : state.verdicts.set(index, next);
    document.querySelectorAll(`.list[data-list="cards"] > .card[data-key="${index}"]`).forEach(draw);
    keep();
  }

  function keep() {
    const key = state.key ?? state.coming;
    if (!key) return;
    const all = [...state.verdicts.values()];
    save(`sgv-review:${key}`, all.length ? all : null);
    clearTimeout(sending);
    if (!state.key) return; // the server takes them once the run is over
    sending = setTimeout(() => act({ name: "review", key: state.key, verdicts: all }), 500);
  }

  // ---- what stands under each card; made when the card comes near the screen
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
  }), { rootMargin: "600px" });

  function draw(card) {
    const words = card.querySelector(".words");
    if (!words || card.classList.contains("live")) return;
    card.tabIndex = -1;
    const said = verdict(indexOf(card));
    let box = words.querySelector(":scope > .judge");
    if (!box) words.querySelector(":scope > .deeds").before(box = el("div", { className: "judge" }));
    if (box.querySelector("textarea")) return;
    box.replaceChildren(...(state.asked[indexOf(card)] ?? []).map((line) => el("p", { className: "asked", textContent: line })));
    if (said.note) box.append(el("p", { className: "my-note", textContent: said.note, dir: "auto" }));
    edited(words, said.text);
    words.querySelector(".deeds > .verdicts")?.remove();
    state.mine ? words.querySelector(".deeds")?.append(buttons(said)) : readOnly(box, said);
  }

  function edited(words, text) {
    const original = words.querySelector(":scope > .text:not(.mine)");
    let mine = words.querySelector(":scope > .text.mine");
    const before = words.querySelector(":scope > details.before");
    if (text === null) { mine?.remove(); before?.remove(); words.classList.remove("edited"); return; }
    if (!mine) words.prepend(mine = el("p", { className: "text mine", dir: "auto" }));
    mine.textContent = text;
    if (!before) original.after(el("details", { className: "before" }, el("summary", { textContent: "Edited; the engine's text" }), el("p", { className: "original", dir: "auto" })));
    words.querySelector(":scope > details.before .original").textContent = original.textContent;
    words.classList.add("edited");
  }

  function buttons(said) {
    const group = el("div", { className: "verdicts", role: "group" });
    group.setAttribute("aria-label", "Your judgement");
    const button = (name, text, pressed, title, drawn) => {
      const made = el("button", { className: "verdict", title }, drawn ? icon(drawn) : text);
      if (drawn) made.setAttribute("aria-label", text);
      made.dataset.verdict = name;
      if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
      return made;
    };
    group.append(el("div", { className: "ratings-of" }, ...RATINGS.map(([name, label], i) => button(name, label, said.rating === name, `${MEANT[i]} (key ${i + 1})`))),
      el("div", {}, button("edit", "Edit", null, "Edit the text (key e)", "edit"), button("note", "Note", null, "Write a note (key n)", "note"),
        button("flag", said.flagged ? "Flagged" : "Flag", said.flagged, "Flag (key f)", "flag")));
    return group;
  }

  function readOnly(box, said) {
    const tags = [said.rating, said.flagged ? "flagged" : null].filter(Boolean);
    if (tags.length) box.append(el("p", { className: "tags" }, ...tags.map((t) => el("span", { textContent: t }))));
  }

  function write(card, what) {
    if (!state.mine) return;
    draw(card);
    const box = card.querySelector(".judge");
    if (!box || box.querySelector("textarea")) return;
    const index = indexOf(card);
    const engines = card.querySelector(".words > .text:not(.mine)")?.textContent ?? "";
    const field = el("textarea", { value: what === "edit" ? verdict(index).text ?? engines : verdict(index).note, rows: what === "edit" ? 4 : 2, dir: "auto" });
    field.setAttribute("aria-label", what === "edit" ? "Corrected text" : "Note");
    const done = (ok) => {
      const text = field.value.trim();
      editor.remove();
      if (ok) put(index, what === "edit" ? { text: text && text !== engines.trim() ? text : null } : { note: text });
      draw(card);
      card.focus({ preventScroll: true });
    };
    const editor = el("div", { className: "editor" }, field, el("div", {},
      el("button", { className: "verdict", textContent: "Save", onclick: () => done(true), title: "Ctrl+Enter" }),
      el("button", { className: "verdict", textContent: "Cancel", onclick: () => done(false), title: "Escape" })));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); done(false); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) done(true);
    });
    box.append(editor);
    field.focus();
  }

  function judge(card, name) {
    const index = indexOf(card);
    if (name === "edit" || name === "note") write(card, name);
    else if (name === "flag") put(index, { flagged: !verdict(index).flagged });
    else put(index, { rating: verdict(index).rating === name ? null : name });
  }

  // ---- keys
  function go(step) {
    const all = cards();
    if (!all.length) return;
    const at = all.indexOf(state.current);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    select(next);
    next.scrollIntoView({ block: "nearest" });
    sgv.seek(Number(next.querySelector("[data-start]")?.dataset.start ?? 0));
  }

  function select(card) {
    document.querySelectorAll(".card.current").forEach((c) => c.classList.remove("current"));
    state.current = card;
    card.classList.add("current");
    draw(card);
    card.focus({ preventScroll: true });
  }

  function playSpan(card) {
    const video = player();
    const span = card.querySelector("[data-start]")?.dataset;
    if (!video || !span) return;
    if (!video.paused) return video.pause();
    const end = Number(span.end);
    video.currentTime = Number(span.start);
    state.until = end > Number(span.start) ? end : Number(span.start) + 2;
    video.play().catch(() => {});
  }

  document.addEventListener("timeupdate", (event) => {
    const video = event.target;
    if (state.until !== null && video.currentTime >= state.until) { video.pause(); state.until = null; }
    document.querySelectorAll(".compare-row[data-start]").forEach((row) => {
      const { start: from, end: to } = row.dataset;
      row.classList.toggle("here", video.currentTime >= Number(from) && video.currentTime < Math.max(Number(to), Number(from) + 0.04));
    });
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select,[contenteditable],video,dialog,[role=slider],[role=radio]")) return;
    if (event.key === "?") { event.preventDefault(); return keys(); }
    if (!document.querySelector('.list[data-list="cards"]')?.offsetParent) return;
    if (event.key === "j" || event.key === "k") { event.preventDefault(); return go(event.key === "j" ? 1 : -1); }
    const card = state.current?.isConnected ? state.current : null;
    if (!card || (event.target !== document.body && !card.contains(event.target))) return;
    if (event.key === " " && !event.target.closest("button,a,summary")) { event.preventDefault(); playSpan(card); }
    else if ("1234".includes(event.key)) judge(card, RATINGS[Number(event.key) - 1][0]);
    else if (event.key === "e" || event.key === "n") { event.preventDefault(); write(card, event.key === "e" ? "edit" : "note"); }
    else if (event.key === "f") judge(card, "flag");
    else if (event.key === "o") sgv.frames.enlarge(card);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-verdict],[data-room]");
    const card = event.target.closest('.list[data-list="cards"] > .card');
    if (card && state.current !== card) {
      document.querySelectorAll(".card.current").forEach((c) => c.classList.remove("current"));
      state.current = card;
      card.classList.add("current");
    }
    if (!button) return;
    if ("verdict" in button.dataset) return card && judge(card, button.dataset.verdict);
    ({ keys, history, share, present })[button.dataset.room]?.();
  });

  // The timeline by keys: arrows go a second, with shift ten; Home and End.
  document.addEventListener("keydown", (event) => {
    const plot = event.target.closest?.(".timeline .plot");
    const video = player();
    if (!plot || !video) return;
    const { first, last } = plot.closest(".timeline").dataset;
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: video.currentTime - step, ArrowRight: video.currentTime + step, Home: Number(first), End: Number(last) - 0.1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    sgv.seek(Math.min(Number(last), Math.max(Number(first), to)));
  });

  document.addEventListener("seeked", (event) => {
    const plot = document.querySelector(".timeline .plot");
    if (!plot || !(event.target instanceof HTMLMediaElement)) return;
    const now = event.target.currentTime;
    plot.setAttribute("aria-valuenow", now.toFixed(1));
    plot.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
  }, true);

  // ---- dialogs
  function dialog(id, title, ...children) {
    document.getElementById(id)?.remove();
    const close = el("button", { className: "verdict close", textContent: "Close" });
    const box = el("dialog", { id, className: "room-dialog" }, el("h2", { textContent: title }), ...children, close);
    box.setAttribute("aria-label", title);
    close.onclick = () => box.close();
    box.addEventListener("click", (event) => event.target === box && box.close());
    box.addEventListener("close", () => box.remove());
    (document.querySelector(".gradio-container .contain") ?? document.body).append(box);
    box.showModal();
    return box;
  }

  function keys() {
    dialog("room-keys", "Keys", el("dl", {}, ...KEYS.flatMap(([key, what]) => [el("dt", {}, el("kbd", { textContent: key })), el("dd", { textContent: what })])));
  }

  function history() {
    const all = saved("sgv-history", []);
    const rows = all.map((item) => {
      const open = el("button", { className: "past", onclick: () => { box.close(); act({ name: "open", key: item.key, proof: item.proof }); } },
        el("b", { textContent: item.name, dir: "auto" }), el("span", { textContent: item.about }), el("small", { textContent: new Date(item.when).toLocaleString(document.documentElement.lang || []) }));
      open.title = item.name;
      if (item.picture) open.prepend(el("img", { src: item.picture, alt: "", onerror: (event) => event.target.remove() }));
      const remove = el("button", { className: "verdict", textContent: "Delete" });
      remove.setAttribute("aria-label", `Delete ${item.name}`);
      remove.onclick = () => {
        if (remove.dataset.sure) { act({ name: "remove", key: item.key, proof: item.proof }); remove.closest("li").remove(); return; }
        remove.dataset.sure = "1";
        remove.textContent = "Really delete?";
      };
      return el("li", {}, open, remove);
    });
    const said = all.length ? "Remembered by this browser only. Deleting also deletes your links and, unless others have the same result, its frames on the server."
      : "Your results are listed here once a run has ended. The list stays in this browser.";
    const box = dialog("room-history", "History", el("p", { className: "hint", textContent: said }), el("ul", {}, ...rows));
  }

  const present = () => act({ name: "present" });

  function share() {
    const film = el("input", { type: "checkbox", checked: false });
    const make = el("button", { className: "verdict strong", textContent: "Make a link" });
    make.onclick = () => { make.disabled = true; act({ name: "share", video: film.checked }); };
    dialog("room-share", "Share this result", el("p", { className: "hint", textContent: "Whoever has the link can read the result and your ratings as they are now, but not change them. It works until you delete the result." }),
      el("label", {}, film, " with the video itself"), make, el("div", { className: "made" }));
  }

  function linked(token) {
    const box = document.querySelector("#room-share .made");
    if (!box) return;
    const address = new URL(location.href);
    address.search = "";
    address.hash = "";
    address.searchParams.set("r", token);
    const now = Math.floor(player()?.currentTime ?? 0);
    if (now > 0) address.searchParams.set("t", String(now));
    const field = el("input", { type: "text", readOnly: true, value: address.href });
    field.setAttribute("aria-label", "Link");
    const copy = el("button", { className: "verdict strong", textContent: "Copy" });
    copy.onclick = () => {
      field.select();
      (navigator.clipboard?.writeText(field.value) ?? Promise.reject()).catch(() => document.execCommand("copy"));
      copy.replaceChildren(icon("done"), " Copied");
    };
    box.replaceChildren(field, copy);
    document.querySelector("#room-share .strong").disabled = false;
    field.focus();
    field.select();
  }

  function say(text) {
    const box = el("p", { className: "room-say", role: "status", textContent: text });
    document.body.append(box);
    setTimeout(() => box.remove(), 8000);
  }

  // ---- messages of the server
  const byIndex = (verdicts) => new Map(verdicts.filter((v) => Number.isInteger(v?.index)).map((v) => [v.index, v]));

  function shown({ run, key, mine, asked, review }) {
    const pending = state.key === null && state.run === run && mine ? [...state.verdicts.values()] : [];
    Object.assign(state, { run, key, mine, asked: asked ?? {}, verdicts: byIndex(review ?? saved(`sgv-review:${key}`, [])) });
    pending.forEach((v) => state.verdicts.set(v.index, v));
    document.body.classList.toggle("sgv-guest", mine === false);
    redraw();
    if (mine && state.verdicts.size) keep();
  }

  function redraw() {
    document.querySelectorAll('.list[data-list="cards"] > .card').forEach((card) => { near.unobserve(card); near.observe(card); });
  }

  function remember(entry) {
    const others = saved("sgv-history", []).filter((item) => item.key !== entry.key);
    save("sgv-history", [{ ...entry, when: Date.now() }, ...others].slice(0, 100));
  }

  function forget(key) {
    save("sgv-history", saved("sgv-history", []).filter((item) => item.key !== key));
    save(`sgv-review:${key}`, null);
  }

  function hear(message) {
    if (!message) return;
    if (message.shown) shown(message.shown);
    else if (message.asked && message.key === state.key) { state.asked = message.asked; redraw(); }
    if (message.history) remember(message.history);
    if (message.running) save("sgv-running", message.running);
    if (message.shown || message.forget) save("sgv-running", null);
    if (message.link) linked(message.link);
    if (message.present !== undefined) setTimeout(() => sgv.show.present(message.present), 0);
    if (message.say) say(message.say);
    if (message.removed || message.gone) forget(message.removed ?? message.gone);
  }

  // A random word that stands for this browser: what it made is its own. It leaves this browser for this server alone.
  function whoAmI() {
    const me = saved("sgv-me", null) ?? Array.from(crypto.getRandomValues(new Uint8Array(24)), (b) => b.toString(16).padStart(2, "0")).join("");
    save("sgv-me", me);
    return me;
  }

  function listen(props, watch, send) {
    // Each says who and in which language: the first may still be under way.
    act = (what) => send({ ...what, me: whoAmI(), language: sgv.words.spoken() });
    watch("value", () => hear(props.value));
    // What is measured and written to files from now on is in the page's language.
    new MutationObserver(() => act({ name: "language" })).observe(document.documentElement, { attributeFilter: ["lang"] });
    const token = new URLSearchParams(location.search).get("r");
    if (token) document.body.classList.add("sgv-presenting"); // a guest sees no workbench on the way
    const ticket = token ? null : saved("sgv-running", null);
    setTimeout(() => act({ name: "hello", token }), 0);
    if (ticket) setTimeout(() => act({ name: "resume", ticket: String(ticket) }), 0);
  }

  // A moment in the address (?t=12) is gone to when there is something to play.
  document.addEventListener("loadedmetadata", (event) => {
    if (!Number.isFinite(start) || !event.target.matches?.("#player video, #replay video")) return;
    event.target.currentTime = start;
    start = NaN;
  }, true);

  // ---- every list of cards is watched: a new run starts with a clean sheet, a new card gets its buttons
  const { feed, mount } = sgv;
  sgv.mount = (element) => { mount(element); redraw(); };
  const patched = ({ run, result } = {}) => {
    if (run === undefined) return;
    if (run !== state.run) Object.assign(state, { run, coming: null, key: null, mine: true, verdicts: new Map(), asked: {}, current: null });
    if (result && state.key === null && !state.coming) Object.assign(state, { coming: result, verdicts: byIndex(saved(`sgv-review:${result}`, [])) });
    redraw();
  };
  // A component can be watched once only.
  sgv.feed = (props, watch) => feed(props, (name, apply) => watch(name, () => { apply(); patched(props.value ?? undefined); }));

  function records(element, choose) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-record],[data-page],[data-compare],[data-close]");
      if (!button) return;
      const [kind, value] = Object.entries(button.dataset)[0];
      choose({ what: { kind, value: Number(value) } });
    });
  }

  // The table of ratings stays as the visitor left it while the bar is written anew.
  function bar(element) {
    let open = false;
    element.addEventListener("click", (event) => {
      const summary = event.target.closest(".ratings > summary");
      if (summary) open = !summary.parentElement.open;
    });
    new MutationObserver(() => {
      const ratings = element.querySelector(".ratings");
      if (ratings && ratings.open !== open) ratings.open = open;
    }).observe(element, { childList: true, subtree: true, attributeFilter: ["open"] });
  }

  return { listen, bar, records, dialog, el, icon };
})();
