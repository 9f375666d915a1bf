// Copy buttons: shown only where the browser lets a page write to the clipboard (HTTPS, or this very machine).
document.querySelectorAll(".rnu-copy").forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
    button.textContent = "Copiado";
    setTimeout(() => { button.textContent = "Copiar"; }, 2000);
  });
});
