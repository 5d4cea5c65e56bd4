// The confusion matrix: of all photos that were judged, or of those here; a cell opens its photos.

const MOST_CLASSES = 40;
/** Viridis: evenly bright for all eyes. */
const STEPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function confusionMatrix(gallery) {
  const { table } = gallery;
  const [truth, predicted] = [table.byName.get("label"), table.byName.get("predicted")];
  const known = truth && predicted;
  if (!known && !table.matrix) return [];
  const here = known ? countConfusions(truth, predicted) : new Map();
  const cells = table.matrix ?? matrixOf(truth.values, predicted.values, here);
  if (Math.max(cells.true.length, cells.predicted.length) > MOST_CLASSES) return [];
  // One confusion, or none, needs no matrix to be found in.
  const filled = cells.counts.flatMap((row, i) =>
    row.flatMap((many, j) => (many ? [cells.true[i] === cells.predicted[j]] : [])),
  );
  if (!table.matrix && (filled.length < 2 || !filled.includes(false))) return [];
  const drawn = drawMatrix(gallery, cells, here);
  if (table.matrix) return [make("div", { class: "matrix judged" }, ...drawn)];
  const summary = make("summary", {}, "Confusion matrix of these photos: a cell opens its photos");
  return [make("details", { class: "matrix" }, summary, ...drawn)];
}

/** Count the photos here by the names of both classes. */
function countConfusions(truth, predicted) {
  const here = new Map(truth.values.map((name) => [name, new Map()]));
  truth.codes.forEach((code, row) => {
    if (code < 0 || predicted.codes[row] < 0) return;
    const counts = here.get(truth.values[code]);
    const name = predicted.values[predicted.codes[row]];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  return here;
}

function matrixOf(truth, predicted, here) {
  const counts = truth.map((label) => predicted.map((name) => here.get(label).get(name) ?? 0));
  return { true: truth, predicted, counts };
}

/** Errors are shaded by their share of the true class, up to the worst: the brightest cell. */
function drawMatrix(gallery, { true: truth, predicted, counts }, here) {
  const judged = Boolean(gallery.table.matrix);
  const totals = counts.map((row) => row.reduce((sum, many) => sum + many, 0));
  const share = (i, j) => counts[i][j] / Math.max(totals[i], 1);
  const errors = truth.flatMap((label, i) =>
    predicted.map((name, j) => (label === name ? 0 : share(i, j))),
  );
  const worst = Math.max(...errors, 0);
  const heading = (scope, text) => make("th", { scope }, text);
  const rows = truth.map((label, i) => {
    const cells = predicted.map((name, j) => {
      const cell = { label, name, many: counts[i][j], total: totals[i], judged };
      cell.here = here.get(label)?.get(name) ?? 0;
      const td = matrixCell(gallery, cell);
      const right = label === name;
      shade(td, right ? grey(counts[i][j] / Math.max(totals[i], 1)) : ramp(share(i, j) / worst));
      return td;
    });
    return make("tr", {}, heading("row", `${words(label)} (${number(totals[i])})`), ...cells);
  });
  const names = predicted.map((name) => make("th", { scope: "col" }, make("span", {}, words(name))));
  const head = make("tr", {}, heading("col", "true ↓ predicted →"), ...names);
  const scroll = { class: "wide", tabindex: "0", role: "group", "aria-label": "Confusion matrix" };
  const content = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  return [make("div", scroll, content), ...(worst ? [matrixLegend(worst, judged)] : [])];
}

function matrixCell(gallery, { label, name, many, total, judged, here }) {
  if (!many) return make("td", {});
  const [truth, predicted, count] = [words(label), words(name), number(many)];
  const said = judged
    ? `${count} of ${number(total)} ${truth} photos predicted as ${predicted}`
    : `${truth} predicted as ${predicted}: ${counted(many, "photo")}`;
  const text = judged ? [make("b", {}, percent(many / total)), make("br"), count] : [count];
  if (!here) {
    const why = `${said}; not in this gallery`;
    return make("td", { "aria-label": why, title: why }, ...text);
  }
  const part = here < many ? `${said}; ${number(here)} of them here` : said;
  const onclick = () => chooseOnly(gallery, { label, predicted: name });
  return make("td", {}, button({ "aria-label": part, title: part, onclick }, ...text));
}

function matrixLegend(worst, judged) {
  const scale = make("span", { class: "ramp" });
  scale.style.background = `linear-gradient(to right, ${STEPS.map(rgb).join(",")})`;
  const ends = ["errors: 0 % ", scale, ` ${percent(worst)} of the true class${judged ? "" : "'s photos here"}`];
  const parts = [ends, ["grey: right"], ["underlined: opens its photos"]];
  return make("p", { class: "legend" }, ...parts.map((part) => make("span", {}, ...part)));
}

/** A positive share that is rounded to 0 would be read as none. */
function percent(share) {
  return share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`;
}

const rgb = (parts) => `rgb(${parts.join(" ")})`;
const grey = (share) => Array(3).fill(Math.round(64 + 127 * share));

function ramp(share) {
  const place = (STEPS.length - 1) * (share || 0);
  const low = Math.min(Math.floor(place), STEPS.length - 2);
  return STEPS[low].map((part, i) => Math.round(part + (place - low) * (STEPS[low + 1][i] - part)));
}

/** Colour a cell, and its text black or white, whichever contrasts more (WCAG). */
function shade(cell, parts) {
  const linear = parts.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  cell.style.setProperty("--shade", rgb(parts));
  cell.style.setProperty("--on-shade", light > 0.179 ? "#000" : "#fff");
}
