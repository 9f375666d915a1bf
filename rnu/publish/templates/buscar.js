// Find a district among the latest totals. Without this script the page is a plain list of data.
"use strict";

(function () {
  const form = document.getElementById("buscador");
  const input = document.getElementById("lugar");
  const notice = document.getElementById("aviso");
  const hits = document.getElementById("lugares");
  const sheet = document.getElementById("ficha");
  const MOST = 12;
  let data = null;

  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  // Thin spaces between thousands, as on the rest of the page.
  const written = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

  function element(name, text, attributes) {
    const made = document.createElement(name);
    made.textContent = text || "";
    Object.entries(attributes || {}).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  }

  function load() {
    if (!data) {
      data = fetch(input.dataset.src)
        .then((answer) => {
          if (!answer.ok) throw new Error(answer.status);
          return answer.json();
        })
        .then((found) => {
          found.lugares.forEach((place) => place.push(plain(place[3] + " " + place[2] + " " + place[1])));
          return found;
        });
      data.catch(() => { data = null; });
    }
    return data;
  }

  function show(found, place) {
    const [code, department, province, district, values] = place;
    const table = element("table");
    table.append(element("caption", district + " (" + province + ", " + department + "), ubigeo " + code));
    const head = table.createTHead().insertRow();
    [["Programa", ""], ["Total", "n"]].forEach(([text, kind]) =>
      head.append(element("th", text, { scope: "col", class: kind })));
    const body = table.createTBody();
    found.columnas.forEach((column, i) => {
      if (values[i] === null) return;
      const row = body.insertRow();
      const name = element("th", column.programa, { scope: "row" });
      name.append(element("br"), element("span", column.cifra + ", " + column.periodo, { class: "meta" }));
      row.append(name);
      const cell = element("td", "", { class: "n" });
      if (typeof values[i] === "number") cell.textContent = written(values[i]);
      else cell.append(element("span", found.marcas[values[i]], { class: "mark" }));
      row.append(cell);
    });
    const box = element("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Totales de " + district });
    box.append(table);
    const said = (found.tasas[code] || []).map((sentence) => element("li", sentence));
    const list = element("ul");
    list.append(...said);
    sheet.replaceChildren(box, ...(said.length ? [list] : []));
    notice.textContent = "Totales de " + district + ", " + province + ", " + department + ".";
  }

  function search() {
    const words = plain(input.value).split(/\s+/).filter(Boolean);
    hits.replaceChildren();
    sheet.replaceChildren();
    if (words.join("").length < 2) {
      notice.textContent = "Escriba el nombre del distrito, sin importar las tildes.";
      return;
    }
    load().then((found) => {
      const fits = found.lugares.filter((place) => words.every((word) => place[5].includes(word)));
      const near = (place) => (plain(place[3]).startsWith(words[0]) ? 0 : plain(place[3]).includes(words[0]) ? 1 : 2);
      fits.sort((a, b) => near(a) - near(b) || a[3].localeCompare(b[3], "es"));
      hits.replaceChildren();
      if (fits.length === 1) { show(found, fits[0]); return; }
      notice.textContent = fits.length === 0 ? "Ningún distrito se llama así."
        : fits.length > MOST ? fits.length + " distritos; se muestran " + MOST + ". Siga escribiendo."
        : fits.length + " distritos.";
      fits.slice(0, MOST).forEach((place) => {
        const button = element("button", place[3] + ", " + place[2] + ", " + place[1], { type: "button" });
        button.addEventListener("click", () => show(found, place));
        const item = element("li");
        item.append(button);
        hits.append(item);
      });
    }).catch(() => { notice.textContent = "No se pudo leer la lista de distritos. Descargue la tabla por distritos."; });
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", search);
  if (location.hash.startsWith("#distrito=")) {
    input.value = decodeURIComponent(location.hash.slice(10));
    search();
  }
})();
