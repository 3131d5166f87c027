// Fills the address of a CEP in as soon as it has eight digits. What was typed by hand stays.
"use strict";
(function () {
  const form = document.querySelector("form[data-endereco]");
  if (!form) return;
  const NAMES = ["logradouro", "bairro", "municipio", "uf"];
  const UNAVAILABLE = "Não foi possível consultar o CEP agora. Preencha o endereço manualmente.";
  const note = form.querySelector("[data-cep-aviso]");
  const button = form.querySelector("[data-buscar-cep]");
  const cep = form.elements.cep;
  let asked = cep.value.replace(/[^0-9]/g, "");
  let turn = 0;
  function say(text) {
    note.textContent = text;
  }
  function fill(found) {
    NAMES.forEach(function (name) {
      const field = form.elements[name];
      const kept = form.elements["auto_" + name];
      if (!found[name] || (field.value && field.value !== kept.value)) return;
      field.value = found[name];
      kept.value = found[name];
    });
  }
  function ask(digits) {
    const mine = (turn += 1);
    asked = digits;
    const stop = new AbortController();
    const timer = setTimeout(function () { stop.abort(); }, 4000);
    const slow = setTimeout(function () {
      if (mine === turn) say("Carregando…");
    }, 300);
    fetch(form.dataset.endereco.replace("00000000", digits), {
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      signal: stop.signal,
    })
      .then(function (answer) {
        return answer.json().then(function (found) { return [answer.ok, found]; });
      })
      .then(function ([ok, found]) {
        if (mine !== turn) return;
        if (ok) fill(found);
        say(found.mensagem || UNAVAILABLE);
      })
      .catch(function () {
        if (mine === turn) say(UNAVAILABLE);
      })
      .finally(function () {
        clearTimeout(timer);
        clearTimeout(slow);
      });
  }
  cep.addEventListener("input", function () {
    const digits = cep.value.replace(/[^0-9]/g, "");
    if (digits.length === 8 && digits !== asked) ask(digits);
    if (digits.length < 8) asked = "";
  });
  button.addEventListener("click", function (event) {
    event.preventDefault();
    const digits = cep.value.replace(/[^0-9]/g, "");
    if (digits.length === 8) ask(digits);
    else say("O CEP deve ter 8 números.");
  });
})();
