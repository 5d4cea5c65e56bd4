// What the points of the map are coloured by, and the legend, whose entries filter.

const NAMED = 8; // values with a colour of their own; the others share one
/** Okabe and Ito's, which all eyes tell apart; brown for their yellow on white, white for their black. */
const SIX = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
const HUES = { light: [...SIX, "#1c2430", "#644508"], dark: [...SIX, "#f4f6f8", "#f0e442"] };
const GREYS = { light: ["#c4c9cf", "#6b7580"], dark: ["#6b7580", "#48515a"] };
const [OTHERS, UNKNOWN, LEVEL] = [NAMED, NAMED + 1, NAMED + 2]; // shades after those of names
const LEVELS = 256 - LEVEL; // of numbers
const BINS = 6; // ranges of a number in the legend

/** The 256 shades of a theme, as colours of CSS. */
function shadesOf(theme) {
  // Neither end of the scale may look like the paper.
  const [low, high] = theme === "dark" ? [0.14, 1] : [0, 0.88];
  const level = (_, i) => rgb(ramp(low + ((high - low) * i) / (LEVELS - 1)));
  return [...HUES[theme], ...GREYS[theme], ...Array.from({ length: LEVELS }, level)];
}

/**
 * What the points can be coloured by. Each has entries of the legend, with a key and a shade; `keyOf`
 * gives the key of a row, `shadeOf` its shade.
 */
function colouringsOf(gallery) {
  const { table, editable } = gallery;
  const found = [];
  const classes = classesByCount(table);
  for (const name of ["label", "predicted"]) {
    if (table.byName.has(name)) found.push(categoryColouring(table, table.byName.get(name), classes));
  }
  if (found.length === 2) found.push(rightColouring(table));
  for (const column of table.columns) {
    if (["label", "predicted", "confusion"].includes(column.name)) continue;
    found.push(column.kind === "number" ? numberColouring(column) : categoryColouring(table, column));
  }
  if (editable) found.push(decisionColouring(gallery));
  return found;
}

function countCodes({ values, codes }, counts = new Map()) {
  const many = new Int32Array(values.length);
  for (const code of codes) if (code >= 0) many[code] += 1;
  values.forEach((value, code) => counts.set(value, (counts.get(value) ?? 0) + many[code]));
  return counts;
}

const byCount = (counts) => [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));

/** A class has one colour, be it the true one or the predicted one. */
function classesByCount({ byName }) {
  const counts = new Map();
  for (const name of ["label", "predicted"]) {
    if (byName.has(name)) countCodes(byName.get(name), counts);
  }
  return byCount(counts);
}

/** Count the rows of each entry; entries without any are left out. */
function withEntries(colouring, size, entries) {
  const many = new Map();
  for (let row = 0; row < size; row += 1) {
    const key = colouring.keyOf(row);
    many.set(key, (many.get(key) ?? 0) + 1);
  }
  const here = entries.filter(({ key }) => many.has(key));
  colouring.entries = here.map((entry) => ({ ...entry, many: many.get(entry.key) }));
  return colouring;
}

function keyedColouring(name, title, keyOf, size, entries) {
  const named = entries.map(([key, text]) => ({ key, text, shade: key }));
  return withEntries({ name, title, keyOf, shadeOf: keyOf }, size, named);
}

function categoryColouring({ size }, column, ranked) {
  const order = ranked ?? byCount(countCodes(column));
  const places = new Map(order.map((value, place) => [value, Math.min(place, OTHERS)]));
  const keys = Uint8Array.from(column.values, (value) => places.get(value));
  const keyOf = (row) => (column.codes[row] < 0 ? UNKNOWN : keys[column.codes[row]]);
  const others = keys.reduce((sum, key) => sum + (key === OTHERS), 0);
  const entries = order.slice(0, NAMED).map((value, place) => [place, words(value)]);
  entries.push([OTHERS, `${number(others)} others`], [UNKNOWN, "not known"]);
  return keyedColouring(column.name, column.title, keyOf, size, entries);
}

function rightColouring({ byName, size }) {
  const [truth, predicted] = [byName.get("label"), byName.get("predicted")];
  const codes = truth.values.map((value) => predicted.values.indexOf(value));
  const keyOf = (row) => {
    if (truth.codes[row] < 0 || predicted.codes[row] < 0) return UNKNOWN;
    return codes[truth.codes[row]] === predicted.codes[row] ? 0 : 1;
  };
  const entries = [[0, "right"], [1, "wrong"], [UNKNOWN, "not known"]];
  return keyedColouring("right", "right or wrong", keyOf, size, entries);
}

/** From the 1st to the 99th hundredth: a few odd numbers do not make all others alike. */
function numberColouring({ name, title, data }) {
  const known = data.filter((value) => Number.isFinite(value)).sort();
  const at = (share) => known[Math.round(share * (known.length - 1))];
  const [low, high] = [at(0.01), at(0.99)];
  const bins = high > low ? BINS : 1;
  const share = (row) => (high > low ? Math.max(0, Math.min(1, (data[row] - low) / (high - low))) : 0.5);
  const isKnown = (row) => Number.isFinite(data[row]);
  const keyOf = (row) => (isKnown(row) ? Math.min(bins - 1, Math.floor(bins * share(row))) : UNKNOWN);
  const shade = (part) => LEVEL + Math.round(part * (LEVELS - 1));
  const shadeOf = (row) => (isKnown(row) ? shade(share(row)) : UNKNOWN);
  const limit = (bin) => Number((low + ((high - low) * bin) / bins).toPrecision(3));
  const text = (bin) => {
    if (bins === 1) return String(limit(0));
    if (bin === 0) return `below ${limit(1)}`;
    return bin === bins - 1 ? `${limit(bin)} and more` : `${limit(bin)} – ${limit(bin + 1)}`;
  };
  const entries = Array.from({ length: bins }, (_, key) =>
    ({ key, text: text(key), shade: shade((key + 0.5) / bins) }));
  entries.push({ key: UNKNOWN, text: "not known", shade: UNKNOWN });
  return withEntries({ name, title, keyOf, shadeOf }, data.length, entries);
}

function decisionColouring({ table, decisions }) {
  const actions = Object.keys(ACTIONS);
  const keyOf = (row) => {
    const place = actions.indexOf(decisions.of(table.ids[row])?.action);
    return place < 0 ? UNKNOWN : place;
  };
  const entries = [...actions.map((action, key) => [key, ACTIONS[action]]), [UNKNOWN, "undecided"]];
  return keyedColouring("decision", "decision", keyOf, table.size, entries);
}

/** Buttons, one for each entry; those that are pressed are shown, all if none is. */
function drawLegend(gallery) {
  const { map, extras } = gallery;
  const { name, title, entries } = map.colouring;
  const pressed = extras.get(`legend ${name}`)?.keys;
  const colours = map.shades.css;
  const one = ({ key, text, shade, many }) => {
    const dot = make("span", { class: "dot", "aria-hidden": "true" });
    dot.style.background = colours[shade];
    const on = { "aria-pressed": String(Boolean(pressed?.has(key))), "data-key": key };
    const onclick = () => pressLegend(gallery, key);
    return button({ ...on, onclick }, dot, text, " ", make("span", { class: "number" }, number(many)));
  };
  const focused = map.legend.contains(document.activeElement) && document.activeElement.dataset.key;
  map.legend.setAttribute("aria-label", `Legend: ${title}; what is pressed is shown`);
  map.legend.replaceChildren(...entries.map(one));
  if (focused) map.legend.querySelector(`[data-key="${focused}"]`)?.focus();
}

function pressLegend(gallery, key) {
  const { map: { colouring }, extras } = gallery;
  const { name, title, entries, keyOf } = colouring;
  const keys = new Set(extras.get(`legend ${name}`)?.keys);
  if (!keys.delete(key)) keys.add(key);
  if (!keys.size) extras.delete(`legend ${name}`);
  else {
    const texts = entries.filter((entry) => keys.has(entry.key)).map(({ text }) => text);
    const test = (row) => keys.has(keyOf(row));
    extras.set(`legend ${name}`, { text: `${title}: ${texts.join(", ")}`, test, keys });
  }
  choose(gallery);
}
