// A result to be shown: the player, the caption of the moment beside it, previous and next by keys, evidence on demand.
"use strict";
sgv.show = (() => {
  const stage = () => document.querySelector("#show .show");
  const moments = (show) => [...show.querySelectorAll(".moment")];
  const film = (show) => show.querySelector("video");
  const now = (show) => Math.max(0, moments(show).findIndex((moment) => !moment.hidden));

  // Shows moment `index`; the player goes there too unless it is what asked.
  function go(show, index, seek = true) {
    const all = moments(show);
    const at = Math.min(all.length - 1, Math.max(0, index));
    all.forEach((moment, i) => { moment.hidden = i !== at; });
    show.querySelectorAll("[data-go]").forEach((mark, i) => mark.classList.toggle("here", i === at));
    show.querySelector('[data-step="-1"]').disabled = at === 0;
    show.querySelector('[data-step="1"]').disabled = at === all.length - 1;
    const still = show.querySelector(".film > img");
    if (still && all[at].dataset.still) still.src = all[at].dataset.still;
    if (seek && film(show)) film(show).currentTime = Number(all[at].dataset.start) + 0.01;
  }

  function follow(show) {
    const time = film(show).currentTime;
    const all = moments(show);
    const at = all.findIndex((moment) => time < Number(moment.dataset.end) - 0.001);
    const wanted = at < 0 ? all.length - 1 : at;
    if (wanted !== now(show)) go(show, wanted, false);
  }

  function seek(show, seconds) {
    if (film(show)) film(show).currentTime = seconds;
    else go(show, Math.max(0, moments(show).findLastIndex((moment) => Number(moment.dataset.start) <= seconds + 0.001)));
  }

  function evidence(show) {
    const button = show.querySelector("[data-evidence]");
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    show.classList.toggle("evident", on);
  }

  const large = (show) => (document.fullscreenElement ? document.exitFullscreen() : show.requestFullscreen?.()?.catch(() => {}));

  // The workbench gives way to the presentation, and comes back.
  function present(on) {
    document.body.classList.toggle("sgv-presenting", on);
    const show = stage();
    if (on && show) document.querySelectorAll("#player video, #replay video").forEach((video) => video.pause());
    if (!on && show) film(show)?.pause();
    if (!on && document.fullscreenElement) document.exitFullscreen();
    window.scrollTo(0, 0);
  }

  function mount(element) {
    const come = () => {
      const show = element.querySelector(".show");
      if (!show || show.sgvShown) return;
      show.sgvShown = true;
      go(show, 0, false);
      const wanted = Number(show.matches(".guest") ? new URLSearchParams(location.search).get("t") ?? 0 : 0);
      if (wanted > 0) film(show)?.readyState === 0 ? film(show).addEventListener("loadedmetadata", () => seek(show, wanted), { once: true }) : seek(show, wanted);
      film(show)?.addEventListener("timeupdate", () => follow(show));
      film(show)?.addEventListener("seeked", () => follow(show));
    };
    new MutationObserver(come).observe(element, { childList: true, subtree: true });
    come();
  }

  document.addEventListener("click", (event) => {
    const show = event.target.closest(".show");
    const target = show && event.target.closest("[data-step],[data-go],[data-evidence],[data-large],[data-leave],[data-seek]");
    if (!target) return;
    const { step, go: index, seek: seconds } = target.dataset;
    event.stopPropagation();
    if (step) go(show, now(show) + Number(step));
    else if (index) go(show, Number(index));
    else if (seconds) seek(show, Number(seconds));
    else if ("evidence" in target.dataset) evidence(show);
    else if ("large" in target.dataset) large(show);
    else present(false);
  }, true);

  document.addEventListener("keydown", (event) => {
    const show = document.body.classList.contains("sgv-presenting") ? stage() : document.fullscreenElement?.closest?.(".show");
    if (!show || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select")) return;
    const step = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 }[event.key];
    const act = { e: () => evidence(show), f: () => large(show), Escape: () => show.matches(".mine") && !document.fullscreenElement && present(false) }[event.key];
    const space = event.key === " " && !event.target.closest("button, summary, video") && film(show);
    if (step) go(show, now(show) + step);
    else if (act) act();
    else if (space) space.paused ? space.play().catch(() => {}) : space.pause();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  return { mount, present };
})();
