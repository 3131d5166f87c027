// A long work is asked about every three seconds, and told at most every ten (B19).
"use strict";
(function () {
  const EVERY = 3000;
  const TOLD_EVERY = 10000;
  const voice = document.getElementById("aviso");
  let told = 0;
  let last = "";
  function now() {
    return document.getElementById("tarefa");
  }
  function tell(text, isLast) {
    const at = Date.now();
    if (!voice || text === last || (!isLast && at - told < TOLD_EVERY)) return;
    voice.textContent = text;
    told = at;
    last = text;
  }
  // Whoever stands on a button that goes away is put on the heading; else the focus stays.
  function put(fresh) {
    const old = now();
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    const same = active && active.matches("a, button") ? active.textContent : "";
    old.replaceWith(fresh);
    if (!active) return;
    const found = Array.from(fresh.querySelectorAll("a, button")).find(function (each) {
      return each.textContent === same;
    });
    (found || fresh.querySelector("h2")).focus();
  }
  function ask() {
    if (document.querySelector("form[data-enviado]")) return;
    fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" })
      .then(function (answer) {
        if (!answer.ok) throw new Error(answer.status);
        return answer.text();
      })
      .then(function (text) {
        const page = new DOMParser().parseFromString(text, "text/html");
        const fresh = page.getElementById("tarefa");
        if (!fresh) return;
        put(document.adoptNode(fresh));
        tell(fresh.dataset.texto, fresh.dataset.acompanhar === "nao");
        next();
      })
      .catch(next);
  }
  function next() {
    if (now().dataset.acompanhar === "sim") window.setTimeout(ask, EVERY);
  }
  if (now() && window.fetch) next();
})();
