// Has the Pix been paid? Asked every five seconds for ten minutes (P08).
"use strict";
(function () {
  const waiting = document.querySelector("[data-pix-espera]");
  if (!waiting || !window.fetch) return;
  const said = waiting.querySelector("[data-pix-situacao]");
  const EVERY = 5000;
  let left = 120;
  function paid() {
    waiting.hidden = true;
    const done = document.querySelector("[data-pix-pago]");
    done.hidden = false;
    const voice = document.getElementById("aviso");
    if (voice) voice.textContent = "Pagamento confirmado";
    document.title = "Pagamento confirmado";
  }
  function again() {
    left -= 1;
    if (left > 0) window.setTimeout(ask, EVERY);
    else said.textContent = "Ainda não recebemos a confirmação. Se você já pagou, use o botão “Já paguei – atualizar situação”.";
  }
  function ask() {
    fetch(waiting.dataset.pixEspera, { headers: { Accept: "application/json" }, redirect: "error" })
      .then(function (answer) {
        if (!answer.ok) throw new Error(answer.status);
        return answer.json();
      })
      .then(function (state) {
        if (state.pago) paid();
        else again();
      })
      .catch(again);
  }
  said.textContent = "Aguardando o pagamento…";
  window.setTimeout(ask, EVERY);
})();
