// The interface in the page's language. Gradio's own i18n chooses it (the browser's language, or the one chosen in
// Settings), carries the table (sgv_demo/ui/language.py) and translates the components' labels. What Python and the
// page's scripts write as HTML is replaced here, text by text, from the same table. Texts of a user, a file or a model
// (dir="auto", bdi, pre) stay as they are.
"use strict";
sgv.words = (() => {
  const ATTRIBUTES = ["aria-label", "aria-valuetext", "title", "placeholder", "alt", "data-name"];
  const FOREIGN = '[dir="auto"], bdi, pre, code, textarea, script, style, svg, [translate="no"]';
  const NAMED_BY_US = '[dir="auto"], textarea'; // foreign inside, but their attributes are the page's
  const english = new WeakMap(); // node → Map(what: "" or an attribute → [English, shown])
  let language = "";
  let table = {};
  let patterns = [];
  let known = new Map();

  // "{} captions": words of ours stand for {}, which are translated in turn; {#} is a number or a time; {=} is a text of
  // somebody else's, which stays. The translation says {0}, {1} … for them.
  const HOLE = /\{[#=]?\}/;
  const MEANT = { "{}": "((?:(?! · ).)+?)", "{#}": "([\\d.,:]+)", "{=}": "(.+?)" };

  function compiled(key) {
    const pieces = key.split(HOLE);
    const holes = key.match(new RegExp(HOLE, "g"));
    const escaped = pieces.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const source = escaped.map((piece, i) => piece + (MEANT[holes[i]] ?? "")).join("");
    const longest = pieces.reduce((a, b) => (b.length > a.length ? b : a));
    return { key, holes, longest, weight: pieces.join("").length, regex: new RegExp(`^${source}$`, "s") };
  }

  function load(wanted) {
    language = wanted;
    const name = wanted.split("-")[0];
    const marked = name === "en" ? {} : window.gradio_config?.i18n_translations?.[name] ?? {};
    table = Object.fromEntries(Object.entries(marked).map(([key, text]) => [key.slice(1), text])); // off comes words.MARK
    patterns = Object.keys(table).filter((key) => HOLE.test(key)).map(compiled).sort((a, b) => b.weight - a.weight);
    known = new Map();
  }

  const has = (key) => Object.hasOwn(table, key);

  function matched(text) {
    for (const { key, holes, longest, regex } of patterns) {
      const found = text.includes(longest) && regex.exec(text);
      const filled = (i) => (holes[i] === "{}" ? phrase(found[i + 1]) : found[i + 1]);
      if (found) return table[key].replace(/\{(\d)\}/g, (_, i) => filled(Number(i)));
    }
    return null;
  }

  function phrase(text) {
    if (!/[A-Za-z]/.test(text)) return text;
    if (known.has(text)) return known.get(text);
    const parts = text.split(" · ");
    const whole = has(text) ? table[text] : matched(text);
    const made = whole ?? (parts.length > 1 ? parts.map(phrase).join(" · ") : text);
    if (known.size > 5000) known.clear();
    known.set(text, made);
    return made;
  }

  // The words of a text node or an attribute without the white space, and the dots between pieces, around them.
  function translated(text) {
    const [, before, core, after] = /^([\s·]*)([\s\S]*?)([\s·]*)$/.exec(text);
    return before + phrase(core.replace(/\s+/g, " ")) + after;
  }

  function replace(node, what, now, set) {
    let mine = english.get(node);
    const [original, shown] = mine?.get(what) ?? [now, now];
    const source = now === shown ? original : now;
    const made = translated(source);
    if (made === now) return;
    if (!mine) english.set(node, (mine = new Map()));
    mine.set(what, [source, made]);
    set(made);
  }

  function foreign(node) {
    const element = node?.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    const zone = element?.closest?.(`${FOREIGN}, [translate="yes"]`);
    return !!zone && zone.getAttribute("translate") !== "yes";
  }

  const textOf = (node) => foreign(node) || replace(node, "", node.data, (made) => { node.data = made; });

  function attributesOf(element, names = ATTRIBUTES) {
    if (foreign(element.matches(NAMED_BY_US) ? element.parentElement : element)) return;
    for (const name of names) {
      const value = element.getAttribute(name);
      if (value) replace(element, name, value, (made) => element.setAttribute(name, made));
    }
  }

  function translate(root) {
    if (root.nodeType === Node.TEXT_NODE) return textOf(root);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = root; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) textOf(node);
      else if (node.nodeType === Node.ELEMENT_NODE) attributesOf(node);
    }
  }

  function speak() {
    const wanted = document.documentElement.lang || "en";
    if (wanted === language) return;
    const before = Object.keys(table).length;
    load(wanted);
    if (before || Object.keys(table).length) translate(document.documentElement);
  }

  new MutationObserver((records) => {
    if (!Object.keys(table).length) return;
    for (const { type, target, attributeName, addedNodes } of records) {
      if (type === "attributes") attributesOf(target, [attributeName]);
      else if (type === "characterData") textOf(target);
      else addedNodes.forEach(translate);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });
  new MutationObserver(speak).observe(document.documentElement, { attributeFilter: ["lang"] });
  speak();

  // Before a list compares what came with what stands there, both must be in one language.
  return {
    translate: (root) => { if (Object.keys(table).length) translate(root); },
    spoken: () => (Object.keys(table).length ? language.split("-")[0] : "en"),
  };
})();
