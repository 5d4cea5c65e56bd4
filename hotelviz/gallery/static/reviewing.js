// Deciding on photos, undoing, exporting.

const READ_ONLY =
  'Give the gallery a decisions file to decide here: Gallery(..., decisions="decisions.csv").';

/** The rows that an act is on: the selection, or the photo at the cursor; large, the one that is seen. */
function actedOn(gallery) {
  const { large, order, cursor, selected } = gallery;
  if (selected.size && !large.dialog.open) return selectedRows(gallery);
  return order.subarray(cursor, cursor + 1);
}

/** Decide on the selection, or on the photo at the cursor, as one act; then go to the next photo. */
function decide(gallery, action, label = "") {
  const rows = actedOn(gallery);
  if (!rows.length) return;
  if (!gallery.editable) {
    say(gallery, READ_ONLY);
    return;
  }
  const parts = decideRows(gallery, rows, action, label);
  const many = rows.length > 1;
  // The badge says it of one photo.
  say(gallery, many ? `${partsText(parts)}.` : "", many && parts.length > 0);
  const next = gallery.placeOf[rows[rows.length - 1]] + 1;
  if (gallery.selected.size && !gallery.large.dialog.open) clearSelection(gallery);
  goOn(gallery, Math.min(next, gallery.order.length - 1));
}

/** Decide on rows as one act, where it is not decided already; return its parts. */
function decideRows({ table, decisions, reviewer }, rows, action, label = "") {
  // To relabel to the label that a photo has is to keep it.
  const wanted = (row) =>
    action === "relabel" && table.text("label", row) === label ? KEPT : { action, label };
  const parts = new Map();
  for (const row of rows) {
    const id = table.ids[row];
    const one = wanted(row);
    const before = decisions.of(id);
    if (before?.action !== one.action || before.label !== one.label) parts.set(id, one);
  }
  const act = groupParts(parts.keys(), (id) => parts.get(id));
  if (act.length) decisions.decide(act, reviewer.value.trim());
  return act;
}

/** "5 photos relabelled as Pool, 2 photos kept". */
function partsText(parts) {
  const text = ({ action, label, image_ids }) => {
    const as = action === "relabel" ? ` as ${words(label)}` : "";
    return `${counted(image_ids.length, "photo")} ${ACTIONS[action]}${as}`;
  };
  return parts.map(text).join(", ") || "All were decided so already";
}

/** Relabel as the class of a key, 1 to 9. */
function relabel(gallery, key) {
  const label = gallery.classes[key - 1];
  if (label === undefined) say(gallery, `There is no class ${key}.`);
  else decide(gallery, "relabel", label);
}

/** Take back the last act, and go to its photos; several are selected, for another act. */
function undo(gallery) {
  const { decisions, reviewer, table, placeOf, large } = gallery;
  const undone = decisions.undo(reviewer.value.trim());
  if (!undone) {
    say(gallery, "Nothing to undo.");
    return;
  }
  const rows = undone.ids.map((id) => table.rowOf.get(id)).filter((row) => placeOf[row] >= 0);
  const by = undone.act[0].reviewer;
  const whose = by && by !== reviewer.value.trim() ? `, by ${by}` : "";
  const away = rows.length < undone.ids.length
    ? `; ${number(undone.ids.length - rows.length)} are not shown`
    : "";
  say(gallery, `Taken back: ${partsText(undone.act)}${whose}${away}.`);
  rows.sort((a, b) => placeOf[a] - placeOf[b]);
  if (rows.length > 1 && !large.dialog.open) select(gallery, rows);
  if (rows.length) goOn(gallery, placeOf[rows[0]]);
}

/** Go to a place, in the grid or in the large view. */
function goOn(gallery, place) {
  gallery.anchor = null;
  goTo(gallery, place);
  if (gallery.large.dialog.open) show(gallery);
}

/** Say what was done, or why not; with undo, a button beside it takes it back. */
function say(gallery, text, undoes = false) {
  gallery.said.textContent = text;
  gallery.toldUndo = undoes;
  gallery.events.dispatchEvent(new Event("said"));
}

/** "12 of 62 decided": of the photos that are shown. */
function showProgress({ table, order, decisions, progress, editable }) {
  if (!editable) return;
  let [decided, later] = [0, 0];
  for (const row of order) {
    const action = decisions.of(table.ids[row])?.action;
    if (action === LATER) later += 1;
    else if (action) decided += 1;
  }
  const more = later ? `, ${number(later)} for later` : "";
  progress.textContent = `${number(decided)} of ${number(order.length)} decided${more}`;
}

function exportDecisions({ root, decisions }) {
  download(root, "decisions.csv", decisions.csv());
}

/** Give the browser a text as a file. */
function download(root, name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = make("a", { href: url, download: name });
  root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
