// Hints for somebody's first time: one at a time, under all else on the left, where it covers nothing and nothing moves
// because of it; a narrow screen has such a place on the landing page only. A hint goes away for good in this browser
// when it is closed, when what it speaks of was done, or when there was time to read it. A guest, who opened somebody's
// link, is told of nothing that only the maker can do.
"use strict";
sgv.hints = (() => {
  const NAME = "sgv-hints";
  const SECONDS = 15;
  const HINTS = [
    { name: "start", narrow: true, when: "#examples .example", done: ["click", "[data-example], #player"],
      text: "New here? Tap an example, then press Run." },
    { name: "range", when: "#timeline .timeline.whole", done: ["pointerdown", "#timeline .plot"],
      text: "Drag over the line to look at a part of the video only: captions and questions keep to it." },
    { name: "cards", guest: true, when: '#cards .card:not(.live) .frame', done: ["click", "#cards [data-seek]"],
      text: "A time or a picture takes the player there. With j and k you walk through the captions; ? shows all keys." },
    { name: "ask", when: "#subject .subject", done: ["keydown", "#question"],
      text: "Ask in your own words, also about what was asked before. The pictures that the answer rests on are shown below it." },
    { name: "compare", when: "#bar .room-bar", done: ["click", "[data-open=compare-room]"],
      text: "Run again in another mode or with another engine: Compare shows both side by side." },
  ];
  const read = () => { try { return JSON.parse(localStorage.getItem(NAME)) ?? []; } catch { return []; } };
  const seen = new Set(read());
  let shown = null;
  let since = 0;

  function close(hint) {
    seen.add(hint.name);
    try { localStorage.setItem(NAME, JSON.stringify([...seen])); } catch { /* private mode: gone for this visit */ }
    if (shown?.dataset.hint === hint.name) { shown.remove(); shown = null; }
  }

  function show(hint) {
    since = Date.now();
    shown = Object.assign(document.createElement("p"), { className: "first-hint" });
    shown.dataset.hint = hint.name;
    shown.setAttribute("role", "note");
    const button = Object.assign(document.createElement("button"), { textContent: "Got it", onclick: () => close(hint) });
    shown.append(Object.assign(document.createElement("span"), { textContent: hint.text }), button);
    document.querySelector("#left")?.append(shown);
  }

  const suits = (hint) => (hint.narrow || !matchMedia("(max-width: 820px)").matches) && (hint.guest || !document.body.classList.contains("sgv-guest"));
  const visible = (selector) => [...document.querySelectorAll(selector)].some((element) => element.offsetParent);

  function look() {
    const current = HINTS.find((hint) => hint.name === shown?.dataset.hint);
    if (current && shown.isConnected && suits(current) && visible(current.when)) {
      if (Date.now() - since > 1000 * SECONDS && !shown.matches(":hover, :focus-within")) close(current);
      return;
    }
    shown?.remove();
    shown = null;
    const next = HINTS.find((hint) => !seen.has(hint.name) && suits(hint) && visible(hint.when));
    if (next) show(next);
    if (HINTS.every((hint) => seen.has(hint.name))) clearInterval(timer);
  }

  for (const hint of HINTS) {
    const [type, where] = hint.done;
    document.addEventListener(type, (event) => { if (event.isTrusted && event.target.closest?.(where) && !seen.has(hint.name)) close(hint); }, true);
  }
  // What a hint waits for comes and goes with tabs and runs; once a second is soon enough and costs nothing.
  const timer = setInterval(look, 1000);
  return { look };
})();
