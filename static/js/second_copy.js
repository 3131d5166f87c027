// The value of an updated boleto follows the chosen day (P08).
"use strict";
(function () {
  const money = new Intl.NumberFormat("pt-BR", { style: "currency", currency: "BRL" });
  document.querySelectorAll("form[data-reemitir]").forEach(function (form) {
    form.querySelector("[data-sem-script]").hidden = true;
    function show() {
      const chosen = form.querySelector("input[name=vencimento]:checked");
      if (!chosen) return;
      ["multa", "juros", "total"].forEach(function (part) {
        form.querySelectorAll('[data-parte="' + part + '"]').forEach(function (place) {
          place.textContent = money.format(chosen.dataset[part]);
          if (place.dataset.valor) place.dataset.valor = chosen.dataset[part];
        });
      });
      form.querySelector('[data-parte="dias"]').textContent = chosen.dataset.dias;
      form.elements.total.value = chosen.dataset.total;
    }
    form.addEventListener("change", show);
    show(); // the browser may have kept another choice
  });
})();
