// The strip of keyframes: each picture under its time on the line where there is room for all, else one after another.
"use strict";
sgv.strip = (() => {
  const GAP = 4;

  // Left edges, in pixels, or null where a picture would no longer reach its own time.
  function places(times, widths, room) {
    const wanted = times.map((time, i) => Math.min(room - widths[i], Math.max(0, time * room - widths[i] / 2)));
    const lefts = [];
    wanted.forEach((left, i) => lefts.push(i ? Math.max(left, lefts[i - 1] + widths[i - 1] + GAP) : left));
    for (let i = lefts.length - 1, edge = room; i >= 0; edge = lefts[i] - GAP, i -= 1) lefts[i] = Math.min(lefts[i], edge - widths[i]);
    return lefts.every((left, i) => left >= 0 && Math.abs(left - wanted[i]) <= widths[i] / 2) ? lefts : null;
  }

  function place() {
    const strip = document.querySelector("#strip .strip");
    const line = document.querySelector("#timeline .timeline");
    const figures = [...(strip?.children ?? [])];
    if (!line || !figures.length) return;
    const { first, last } = line.dataset;
    const times = figures.map((f) => (Number(f.querySelector("[data-seek]")?.dataset.seek) - first) / (last - first));
    strip.classList.add("placed"); // its room is that of the line; else what is measured would follow from what was found
    const lefts = places(times, figures.map((f) => f.offsetWidth), strip.clientWidth);
    strip.classList.toggle("placed", !!lefts);
    figures.forEach((figure, i) => { figure.style.left = lefts ? `${lefts[i]}px` : ""; });
  }

  let asked = 0;
  const later = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(place); };
  const sizes = new ResizeObserver(later);

  function mount(element) {
    sgv.mount(element);
    const strip = element.querySelector(".strip");
    new MutationObserver(later).observe(strip, { childList: true, subtree: true });
    sizes.observe(strip);
    strip.addEventListener("load", later, true); // a picture's own width may be known only then
    later();
  }

  return { mount };
})();
