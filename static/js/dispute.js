// A dispute's draft is kept in this browser until it is sent, and its length is counted.
"use strict";
(function () {
  function store() {
    try { return window.localStorage; } catch (error) { return null; }
  }
  const kept = store();

  document.querySelectorAll("[data-contador]").forEach(function (told) {
    const field = document.getElementById(told.dataset.contador);
    const most = Number(told.dataset.maximo);
    if (!field) return;
    function count() {
      const n = Array.from(field.value.replace(/\r\n/g, "\n").trim()).length;
      told.textContent = n.toLocaleString("pt-BR") + " de " + most.toLocaleString("pt-BR") + " caracteres";
      told.classList.toggle("erro-campo", n > most);
    }
    told.hidden = false;
    field.addEventListener("input", count);
    field.addEventListener("rascunho", count);
    count();
  });

  if (!kept) return;
  document.querySelectorAll("[data-rascunho-enviado]").forEach(function (mark) {
    kept.removeItem(mark.dataset.rascunhoEnviado);
  });

  document.querySelectorAll("form[data-rascunho]").forEach(function (form) {
    const name = form.dataset.rascunho;
    const text = form.elements.namedItem("texto");
    const marks = Array.from(form.querySelectorAll("input[type=radio], input[type=checkbox]"));
    const notice = form.querySelector("[data-rascunho-aviso]");

    function put(draft) {
      text.value = draft.texto || "";
      marks.forEach(function (one) {
        one.checked = (draft.marcas || []).indexOf(one.name + "=" + one.value) >= 0;
      });
      text.dispatchEvent(new Event("rascunho"));
      if (notice) notice.hidden = false;
    }
    function keep() {
      const chosen = marks.filter(function (one) { return one.checked; });
      const draft = {
        texto: text.value,
        marcas: chosen.map(function (one) { return one.name + "=" + one.value; }),
      };
      try {
        if (draft.texto || draft.marcas.length) kept.setItem(name, JSON.stringify(draft));
        else kept.removeItem(name);
      } catch (error) {
        // The browser has no room, or keeps nothing: the form works without.
      }
    }
    // What the server shows again, after a fault, is newer than any draft.
    if (!text.value && !marks.some(function (one) { return one.checked; })) {
      try {
        const draft = JSON.parse(kept.getItem(name) || "null");
        if (draft) put(draft);
      } catch (error) {
        kept.removeItem(name);
      }
    }
    form.addEventListener("input", keep);
    form.addEventListener("change", keep);
    keep();
  });
})();
