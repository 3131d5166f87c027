// Comfort around passwords: showing what is typed, and printing recovery codes.
"use strict";
document.querySelectorAll("[data-mostrar]").forEach(function (button) {
  const field = document.getElementById(button.dataset.mostrar);
  button.hidden = false;
  button.addEventListener("click", function () {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? "Mostrar senha" : "Ocultar senha";
    button.setAttribute("aria-pressed", String(!shown));
  });
  // What was shown is not kept by the browser as plain text.
  if (field.form) field.form.addEventListener("submit", function () { field.type = "password"; });
});
document.querySelectorAll("[data-imprimir]").forEach(function (button) {
  button.hidden = false;
  button.addEventListener("click", function () { window.print(); });
});
