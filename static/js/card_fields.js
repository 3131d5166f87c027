// A new card: its fields are in a frame of the provider's, and nothing of it passes through here.
"use strict";
(function () {
  const form = document.querySelector("form[data-novo-cartao]");
  if (!form) return;
  const loading = form.querySelector("[data-carregando]");
  const fault = form.querySelector("[data-erro]");
  const button = form.querySelector("button[type=submit]");
  const label = button.textContent;
  if (!window.Stripe) {
    loading.textContent = "Não foi possível carregar os campos do cartão. Use a página da operadora, abaixo.";
    loading.hidden = false;
    return;
  }
  const css = getComputedStyle(document.body);
  const stripe = window.Stripe(form.dataset.novoCartao, { locale: "pt-BR" });
  const fields = stripe.elements().create("card", {
    hidePostalCode: true,
    style: { base: { fontSize: "16px", fontFamily: css.fontFamily } },
  });
  fields.mount("#cartao");
  form.querySelector("[data-campos]").hidden = false;
  fields.on("change", function (event) {
    fault.textContent = event.error ? event.error.message : "";
  });
  function busy(is) {
    button.disabled = is;
    button.textContent = is ? "Processando…" : label;
  }
  function failed(text) {
    fault.textContent = text;
    busy(false);
  }
  function begin() {
    return fetch(form.dataset.iniciar, { method: "POST", body: new FormData(form), redirect: "error" })
      .then(function (answer) { return answer.json(); });
  }
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    if (button.disabled) return;
    busy(true);
    fault.textContent = "";
    begin().then(function (begun) {
      if (!begun.segredo) return failed(begun.erro || "Não foi possível começar. Tente de novo.");
      const name = form.querySelector("#titular").value.trim();
      const card = { card: fields, billing_details: name ? { name: name } : {} };
      return stripe.confirmCardSetup(begun.segredo, { payment_method: card }).then(function (result) {
        if (result.error) return failed(result.error.message);
        form.elements.setup.value = result.setupIntent.id;
        form.submit();
      });
    }).catch(function () {
      failed("Não foi possível falar com a operadora. Nenhum cartão foi cadastrado. Tente de novo.");
    });
  });
})();
