// Comfort for pages that work without it: copy buttons, and forms that are sent once.
"use strict";
(function () {
  const voice = document.getElementById("aviso");
  function say(text) {
    if (voice) voice.textContent = text;
  }
  document.querySelectorAll("[data-copiar]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      const field = document.getElementById(button.dataset.copiar);
      const text = field.dataset.valor || field.value;
      const done = function () { say(button.dataset.copiado); };
      const byHand = function () {
        field.focus();
        field.select();
        say("Pressione Ctrl+C para copiar.");
      };
      if (!navigator.clipboard) return byHand();
      navigator.clipboard.writeText(text).then(done, byHand);
    });
  });
  document.querySelectorAll("form[data-uma-vez]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.enviado) return event.preventDefault();
      const button = event.submitter || form.querySelector("button[type=submit]");
      if (!button) return;
      form.dataset.enviado = "sim";
      // After the browser has gathered the fields.
      setTimeout(function () {
        button.disabled = true;
        button.textContent = "Processando…";
      }, 0);
    });
  });
  // The button of the browser's back list finds the form as it was sent.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) window.location.reload();
  });
})();
