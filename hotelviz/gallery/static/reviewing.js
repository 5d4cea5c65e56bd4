// Deciding on photos, undoing, exporting.

function decide(gallery, action, label = "") {
  const { order, editable, status, decisions, reviewer } = gallery;
  if (!order.length) return;
  if (!editable) {
    status.textContent =
      'Give the gallery a decisions file to decide here: Gallery(..., decisions="decisions.csv").';
    return;
  }
  const id = currentId(gallery);
  const before = decisions.of(id);
  if (before && before.action === action && before.label === label) return;
  decisions.decide(id, action, label, reviewer.value.trim());
}

/** Relabel as the class of a key, 1 to 9. */
function relabel(gallery, key) {
  const label = gallery.classes[key - 1];
  if (label === undefined) gallery.status.textContent = `There is no class ${key}.`;
  else decide(gallery, "relabel", label);
}

function undo(gallery) {
  const { decisions, reviewer, status, order, table } = gallery;
  const id = decisions.undo(reviewer.value.trim(), currentId(gallery));
  if (id === null) {
    status.textContent = "Nothing to undo.";
    return;
  }
  const place = order.indexOf(table.rowOf.get(id));
  if (place >= 0) moveTo(gallery, place);
}

function exportDecisions({ root, decisions }) {
  const url = URL.createObjectURL(new Blob([decisions.csv()], { type: "text/csv" }));
  const link = make("a", { href: url, download: "decisions.csv" });
  root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
