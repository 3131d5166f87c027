// The home page's panels, changed in place; without this each link loads the page.
"use strict";
(function () {
  const ID = "informacoes";
  const heading = function () { return document.querySelector("#" + ID + " h2"); };

  function show(url, focus) {
    const place = document.getElementById(ID);
    place.setAttribute("aria-busy", "true");
    const slow = setTimeout(function () { say("Carregando…"); }, 300);
    return fetch(url, { headers: { Accept: "text/html" } })
      .then(function (answer) {
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        return answer.text();
      })
      .then(function (text) {
        const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(ID);
        if (!fresh) throw new Error("panel");
        place.replaceWith(document.importNode(fresh, true));
        if (focus) heading().focus();
        say("");
      })
      .finally(function () {
        clearTimeout(slow);
        place.removeAttribute("aria-busy");
      });
  }

  function say(text) {
    const voice = document.getElementById("aviso");
    if (voice) voice.textContent = text;
  }

  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-painel]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const url = link.href;
    show(url.split("#")[0], true).then(
      function () { history.pushState({ painel: true }, "", url); },
      function () { window.location.assign(url); }
    );
  });
  window.addEventListener("popstate", function () {
    const url = window.location.href;
    show(url.split("#")[0], false).catch(function () { window.location.reload(); });
  });
})();
