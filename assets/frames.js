// Frames in large: two in a slider, for comparing results and for the pair of a caption.
"use strict";
sgv.frames = (() => {
  const { el, dialog } = sgv.room;

  function slider(before, after, label) {
    const range = el("input", { type: "range", min: 0, max: 100, value: 50 });
    range.setAttribute("aria-label", "Slide from the earlier to the later frame");
    const box = el("div", {}, el("img", { className: "under", src: after, alt: `After, ${label}` }),
      el("img", { className: "over", src: before, alt: `Before, ${label}` }), range);
    range.oninput = () => box.style.setProperty("--at", `${range.value}%`);
    return el("figure", { className: "slider" }, box,
      el("figcaption", { textContent: `${label}: before on the left, after on the right` }));
  }

  // ---- comparing: frames of a row
  function compare(element) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-before]");
      const old = element.querySelector(".slider");
      if (!button || !old) return;
      const made = slider(button.dataset.before, button.dataset.after, button.dataset.label);
      old.replaceWith(made);
      made.scrollIntoView({ block: "nearest" });
      made.querySelector("input").focus({ preventScroll: true });
    });
  }

  // ---- a caption's frames over the whole screen, with its text
  const timeOf = (image) => image.closest(".frame").querySelector("small").textContent;

  function single(image) {
    return el("figure", {}, el("img", { src: image.src, alt: image.alt }), el("figcaption", { textContent: timeOf(image) }));
  }

  function enlarge(card) {
    const images = [...card.querySelectorAll(".pair img")];
    if (!images.length) return;
    const span = card.querySelector(".span").textContent;
    const pair = images.length === 2;
    const shown = pair ? [slider(images[0].src, images[1].src, span)] : images.map(single);
    const { textContent, dir } = card.querySelector(".words > .text");
    const box = dialog("room-frames", span, el("div", { className: images.length > 2 ? "large many" : "large" }, ...shown),
      el("p", { className: "text", textContent, dir }));
    const [width, height] = ["width", "height"].map((name) => Number(images[0].getAttribute(name)));
    if (width && height) box.style.setProperty("--shape", width / height);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-enlarge]");
    if (button) enlarge(button.closest(".card"));
  });

  return { compare, enlarge };
})();
