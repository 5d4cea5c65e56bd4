// What is selected or shown, saved: on disk as CSV by the browser, live as a catalogue by the kernel.

/** The rows that are saved, and what they are called. */
function savedRows({ selected, order }) {
  return selected.size
    ? [Array.from(selected).sort((a, b) => a - b), "selected"]
    : [Array.from(order), "shown"];
}

function save(gallery) {
  const [rows] = savedRows(gallery);
  if (!rows.length) say(gallery, "There is nothing to save.");
  else if (gallery.live) openSaving(gallery);
  else {
    download(gallery.root, "photos.csv", tableCsv(gallery, rows));
    say(gallery, `${counted(rows.length, "photo")} saved to photos.csv.`);
  }
}

/** The rows as CSV: names, what can be filtered or sorted by, and what was decided. */
function tableCsv({ table, decisions }, rows) {
  const { ids, columns } = table;
  const names = ["image_id", ...columns.map(({ name }) => name), "decision", "new_label"];
  const valueOf = (column, row) =>
    column.kind === "category" ? table.text(column.name, row) : numberText(column.data[row]);
  const lines = rows.map((row) => {
    const decision = decisions.of(ids[row]);
    const values = columns.map((column) => valueOf(column, row));
    return [ids[row], ...values, decision?.action, decision?.label].map(csvField).join(",");
  });
  return [names.map(csvField).join(","), ...lines, ""].join("\n");
}

const numberText = (value) => (Number.isNaN(value) ? "" : String(Number(value.toPrecision(7))));

function csvField(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The dialog in which a live gallery is asked where the catalogue goes. */
function buildSaving(gallery) {
  const name = make("input", { type: "text", value: "photos.csv", "aria-label": "File" });
  const told = make("p", { role: "status" });
  const title = make("h3", {});
  const done = async () => {
    told.textContent = "saving …";
    const [rows] = savedRows(gallery);
    const { text, error } = await gallery.source.save(rows, name.value.trim());
    told.textContent = error || text;
    told.classList.toggle("bad", Boolean(error));
    if (!error) say(gallery, text);
  };
  const onkeydown = (event) => {
    if (event.key === "Enter") done();
  };
  name.addEventListener("keydown", onkeydown);
  const dialog = make(
    "dialog", { class: "keys saving", "aria-label": "Save", onclose: () => focusCard(gallery) },
    title, make("label", {}, "A catalogue: .csv or .parquet ", name), told,
    make("div", { class: "acts" },
      button({ onclick: done }, "save"), button({ onclick: () => dialog.close() }, "close")),
  );
  gallery.saving = { dialog, title, told };
  gallery.root.append(dialog);
}

function openSaving(gallery) {
  const [rows, what] = savedRows(gallery);
  const { dialog, title, told } = gallery.saving;
  title.textContent = `Save ${counted(rows.length, "photo")}, ${what}`;
  told.textContent = "";
  dialog.showModal();
}
