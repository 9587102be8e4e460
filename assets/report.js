// The one script of a report that holds its video: a time in the text plays it from there.
"use strict";
addEventListener("click", (event) => {
  const time = event.target.closest('a[href^="#film"]');
  const film = document.getElementById("film");
  if (!time || !film) return;
  film.currentTime = Number(time.hash.split("#t=")[1] ?? 0);
  film.play();
});
