// An invoice's page: printing, and waiting for a PDF that takes long.
"use strict";
(function () {
  document.querySelectorAll("[data-imprimir]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  });
  const waiting = document.querySelector("[data-espera]");
  if (!waiting) return;
  const began = Date.now();
  const ask = function () {
    if (Date.now() - began > 120000) return;
    fetch(waiting.dataset.espera, { headers: { Accept: "application/json" } })
      .then(function (answer) { return answer.ok ? answer.json() : {}; })
      .then(function (state) {
        if (state.pronto) window.location.assign(waiting.dataset.pronto);
        else setTimeout(ask, 1500);
      }, function () { setTimeout(ask, 3000); });
  };
  setTimeout(ask, 1500);
})();
