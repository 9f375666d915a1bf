// The browser's part of signing: ask the passkey for what the server says, and send back what it gives. What is signed
// is verified elsewhere; nothing here is a secret, and nothing here is trusted.
(() => {
  const EXPLAINED = {
    NotAllowedError: "No se firmó: la operación se canceló, venció el tiempo o este equipo no tiene su llave.",
    InvalidStateError: "Esa llave ya está registrada en este equipo.",
    SecurityError: "Esta dirección no permite llaves de acceso: abra la mesa en su dirección con nombre (https://…).",
    NotSupportedError: "Este navegador o esta llave no sirven para firmar aquí.",
  };
  const UNKNOWN = "No se pudo firmar en este navegador. Puede decidir desde una terminal, como se explica en la página.";

  async function options(form) {
    const answer = await fetch(form.dataset.options, { method: "POST", body: new FormData(form) });
    const given = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(given.said || "El portal no respondió: recargue la página e inténtelo de nuevo.");
    return given;
  }

  async function signed(form) {
    if (!window.PublicKeyCredential || !PublicKeyCredential.parseCreationOptionsFromJSON) {
      throw new Error(UNKNOWN);
    }
    const asked = await options(form);
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) });
    const { id, rawId, type, response } = credential.toJSON();
    const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature"];
    if (form.dataset.passkey === "create") parts.splice(2);
    const kept = Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, response[part]]));
    return JSON.stringify({ id, rawId, type, response: kept });
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const alert = form.querySelector("[role=alert]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (event.submitter && event.submitter.name) form.querySelector(`input[name=${event.submitter.name}]`).value = event.submitter.value;
      alert.hidden = true;
      try {
        form.querySelector(`input[name=${form.dataset.field}]`).value = await signed(form);
        form.submit();
      } catch (error) {
        alert.textContent = EXPLAINED[error.name] || (error instanceof TypeError ? UNKNOWN : error.message);
        alert.hidden = false;
      }
    });
  }

  const waiting = document.querySelector("[data-poll]");
  const look = async () => {
    const answer = await fetch(waiting.dataset.poll).then((found) => found.json()).catch(() => ({}));
    if (answer.is_over) location.reload();
    else setTimeout(look, 2000);
  };
  if (waiting) setTimeout(look, 1000);
})();
