/* Pages work without this: it counts characters, and keeps a form from being sent twice. */
"use strict";
(() => {
  for (const field of document.querySelectorAll("textarea[data-min]")) {
    const least = Number(field.dataset.min);
    const most = Number(field.dataset.max);
    const told = document.createElement("div");
    told.className = "help contador";
    told.setAttribute("aria-live", "polite");
    const count = () => {
      const n = field.value.trim().length;
      if (n < least) told.textContent = `${n} de ${most}: faltam ${least - n}`;
      else if (n > most) told.textContent = `${n} de ${most}: sobram ${n - most}`;
      else told.textContent = `${n} de ${most}`;
    };
    field.insertAdjacentElement("afterend", told);
    field.addEventListener("input", count);
    count();
  }
  for (const form of document.querySelectorAll("form[data-uma-vez]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("input[type=submit]");
      // After the form was read: a disabled button would not be sent with it.
      setTimeout(() => {
        button.disabled = true;
        button.value = "Processando…";
      }, 0);
    });
  }
  document.querySelector(".errornote[tabindex]")?.focus();
  // A page that comes back from the browser's memory can be sent again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
})();
