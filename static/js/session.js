// Tells two minutes before the session ends by itself, and lets it go on (ux §1.5).
"use strict";
(function () {
  const minutes = Number(document.body.dataset.sessao);
  const box = document.getElementById("sessao-aviso");
  if (!minutes || !box) return;
  const goOn = box.querySelector("[data-continuar]");
  const title = box.querySelector("[data-titulo]");
  const text = box.querySelector("[data-texto]");
  const before = [title.textContent, text.textContent];
  const SEEN = "central-sessao"; // when another tab was last in use
  let warning, ending;

  function tell(words, canGoOn) {
    title.textContent = words[0];
    text.textContent = words[1];
    goOn.hidden = !canGoOn;
    box.setAttribute("role", "alert"); // only now: read out once it is there to be read
    box.hidden = false;
  }
  function plan(length) {
    clearTimeout(warning);
    clearTimeout(ending);
    box.hidden = true;
    const total = length * 60000;
    if (total > 2147483647) return; // a remembered browser
    warning = setTimeout(function () { tell(before, true); }, Math.max(total - 120000, 0));
    ending = setTimeout(over, total);
  }
  function over() {
    tell([box.dataset.fim, box.dataset.fimTexto], false);
  }
  function note() {
    try { localStorage.setItem(SEEN, String(Date.now())); } catch (error) { /* private window */ }
  }
  goOn.addEventListener("click", function () {
    goOn.disabled = true;
    fetch(box.dataset.url, { credentials: "same-origin", redirect: "error" })
      .then(function (answer) {
        if (!answer.ok) throw new Error("ended");
        return answer.text();
      })
      .then(function (length) { note(); plan(Number(length)); }, over)
      .finally(function () { goOn.disabled = false; });
  });
  window.addEventListener("storage", function (event) {
    if (event.key === SEEN) plan(minutes);
  });
  note();
  plan(minutes);
})();
