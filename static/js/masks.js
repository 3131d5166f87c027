// Marks of CNPJ, CPF, CEP and telephone while typing and pasting. Letters of a CNPJ stay (upper case).
"use strict";
(function () {
  const DIGITS = /[^0-9]/g;
  function cut(text, parts, marks) {
    // parts: lengths; marks[i]: what stands before part i.
    let at = 0;
    let made = "";
    for (let i = 0; i < parts.length && at < text.length; i += 1) {
      made += (marks[i] || "") + text.slice(at, at + parts[i]);
      at += parts[i];
    }
    return made;
  }
  function cnpj(text) {
    return cut(text.slice(0, 14), [2, 3, 3, 4, 2], ["", ".", ".", "/", "-"]);
  }
  function cpf(text) {
    return cut(text.slice(0, 11), [3, 3, 3, 2], ["", ".", ".", "-"]);
  }
  const MASKS = {
    documento: function (value, form) {
      const bare = value.replace(/[^0-9a-z]/gi, "").toUpperCase();
      const kind = form && form.elements.tipo ? form.elements.tipo.value : "company";
      return kind === "person" && !/[A-Z]/.test(bare) && bare.length <= 11 ? cpf(bare) : cnpj(bare);
    },
    cep: function (value) {
      return cut(value.replace(DIGITS, "").slice(0, 8), [5, 3], ["", "-"]);
    },
    telefone: function (value) {
      let digits = value.replace(DIGITS, "");
      if (value.trim().startsWith("+55") || digits.length > 11) digits = digits.replace(/^55/, "");
      digits = digits.slice(0, 11);
      if (digits.length < 3) return digits;
      const first = digits.length > 10 ? 5 : 4;
      return "(" + digits.slice(0, 2) + ") " + cut(digits.slice(2), [first, 4], ["", "-"]);
    },
  };
  function apply(field) {
    const made = MASKS[field.dataset.mascara](field.value, field.form);
    if (made === field.value) return;
    // Only at the end of the text: a correction in the middle keeps its place until one leaves.
    const atEnd = field.selectionStart === field.value.length;
    if (atEnd || document.activeElement !== field) field.value = made;
  }
  document.querySelectorAll("[data-mascara]").forEach(function (field) {
    if (!MASKS[field.dataset.mascara] || field.readOnly) return;
    field.addEventListener("input", function (event) {
      if (event.inputType && event.inputType.startsWith("delete")) return;
      apply(field);
    });
    field.addEventListener("change", function () { apply(field); });
    field.addEventListener("blur", function () { apply(field); });
  });
})();
