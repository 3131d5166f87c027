// Dates are typed as 12/08/2026 or 12082026, or picked in the browser's own calendar (§1.1).
"use strict";
(function () {
  function two(text) {
    return ("0" + text).slice(-2);
  }
  document.querySelectorAll("input[data-data]").forEach(function (field) {
    field.addEventListener("blur", function () {
      const found = /^(\d{2})(\d{2})(\d{4})$/.exec(field.value.trim());
      if (found) field.value = found.slice(1).join("/");
    });
    const picker = document.createElement("input");
    if (!picker.showPicker) return;
    picker.type = "date";
    picker.tabIndex = -1;
    picker.className = "calendario-nativo";
    picker.setAttribute("aria-hidden", "true");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn claro";
    button.textContent = "Calendário";
    const label = document.querySelector('label[for="' + field.id + '"]');
    if (label) button.setAttribute("aria-label", "Calendário: " + label.textContent.trim());
    button.addEventListener("click", function () {
      const typed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(field.value.trim());
      picker.value = typed ? typed[3] + "-" + two(typed[2]) + "-" + two(typed[1]) : "";
      picker.showPicker();
    });
    picker.addEventListener("change", function () {
      if (picker.value) field.value = picker.value.split("-").reverse().join("/");
      field.focus();
    });
    const line = document.createElement("span");
    line.className = "data-linha";
    field.replaceWith(line);
    line.append(field, picker, button);
  });
})();
