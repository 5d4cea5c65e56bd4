// The confusion matrix of the photos; a cell opens its photos.

const MOST_CLASSES = 40;

function confusionMatrix(gallery) {
  const { table } = gallery;
  const [truth, predicted] = [table.byName.get("label"), table.byName.get("predicted")];
  if (!truth || !predicted) return [];
  if (Math.max(truth.values.length, predicted.values.length) > MOST_CLASSES) return [];
  const { counts, totals } = countConfusions(truth, predicted);
  const heading = (scope, text) => make("th", { scope }, text);
  const rows = truth.values.map((label, i) => {
    const cell = (name, j) => matrixCell(gallery, label, name, counts[i][j], totals[i]);
    return make("tr", {}, heading("row", words(label)), ...predicted.values.map(cell));
  });
  const names = predicted.values.map((name) => heading("col", words(name)));
  const head = make("tr", {}, heading("col", "true ↓ predicted →"), ...names);
  const scroll = { class: "wide", tabindex: "0", role: "group", "aria-label": "Confusion matrix" };
  const content = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  const summary = make("summary", {}, "Confusion matrix: a cell opens its photos");
  return [make("details", { class: "matrix" }, summary, make("div", scroll, content))];
}

function countConfusions(truth, predicted) {
  const counts = truth.values.map(() => new Int32Array(predicted.values.length));
  truth.codes.forEach((label, row) => {
    if (label >= 0 && predicted.codes[row] >= 0) counts[label][predicted.codes[row]] += 1;
  });
  return { counts, totals: counts.map((row) => row.reduce((sum, many) => sum + many, 0)) };
}

function matrixCell(gallery, label, predicted, many, total) {
  if (!many) return make("td", {}, "·");
  const cell = button({
    "aria-label": `${words(label)} predicted as ${words(predicted)}: ${number(many)} photos`,
    onclick: () => chooseOnly(gallery, { label, predicted }),
  }, number(many));
  cell.style.setProperty("--share", (many / total).toFixed(2));
  return make("td", { class: label === predicted ? "right" : "wrong" }, cell);
}
