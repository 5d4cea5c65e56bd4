// Which photos are shown, and in which order.

const DECISION = Symbol("decision"); // among the names of columns: no column is called so

function chooseSoon(gallery) {
  clearTimeout(gallery.timer);
  gallery.timer = setTimeout(() => choose(gallery), 120);
}

/** Show the photos with these values and no others; begin with the first, or with a row. */
function chooseOnly(gallery, values, row) {
  const { selects, view } = gallery;
  emptyFilters(gallery);
  for (const [name, value] of Object.entries(values)) {
    if (selects.has(name)) selects.get(name).value = value;
  }
  choose(gallery);
  view.scrollTop = 0;
  moveTo(gallery, row === undefined ? 0 : gallery.placeOf[row]);
}

/** Show the photos of the same hotel as the one at the cursor; once more: what was shown before. */
function showHotel(gallery) {
  const { table, order, cursor, hotelOf, large } = gallery;
  const row = order[cursor];
  const hotel = table.text("hotel_id", row);
  if (hotelOf) restoreFilters(gallery, hotelOf);
  else if (!table.byName.has("hotel_id")) say(gallery, "Nothing is known of hotels here.");
  else if (hotel === null) say(gallery, "The hotel of this photo is not known.");
  else {
    const before = noteFilters(gallery);
    chooseOnly(gallery, { hotel_id: hotel }, row);
    gallery.hotelOf = before;
    const others = gallery.order.length - 1;
    say(gallery, others
      ? `${counted(others, "other photo")} of the hotel ${hotel} here; h leads back.`
      : `No other photo of the hotel ${hotel} is here; h leads back.`);
  }
  if (large.dialog.open) show(gallery);
}

function filterFields({ search, selects, filters }) {
  return [search, ...selects.values(), ...filters.querySelectorAll(".range input")];
}

function noteFilters(gallery) {
  const values = filterFields(gallery).map((field) => [field, field.value]);
  return { values, ranges: gallery.ranges, extras: new Map(gallery.extras) };
}

function restoreFilters(gallery, { values, ranges, extras }) {
  for (const [field, value] of values) field.value = value;
  gallery.extras = new Map(extras);
  gallery.ranges = ranges;
  choose(gallery);
  say(gallery, "");
  focusCard(gallery);
}

function emptyFilters(gallery) {
  for (const field of filterFields(gallery)) field.value = "";
  gallery.ranges = {};
  gallery.extras.clear();
}

function clearFilters(gallery) {
  emptyFilters(gallery);
  choose(gallery);
}

/** Find the photos that pass all filters. */
function choose(gallery) {
  const { table } = gallery;
  gallery.hotelOf = null; // the filters that `h` leads back to
  const tests = filterTests(gallery);
  // What was asked for is not to be folded away.
  if (tests.length) gallery.closed.clear();
  const rows = new Int32Array(table.size);
  let many = 0;
  for (let row = 0; row < table.size; row += 1) {
    if (tests.every((test) => test(row))) rows[many++] = row;
  }
  gallery.found = rows.subarray(0, many);
  arrange(gallery);
}

/** Tests of rows, of all filters, but for one without a control. */
function filterTests({ table, selects, ranges, decisions, search, extras }, without = "") {
  const tests = [];
  for (const [name, { test }] of extras) if (name !== without) tests.push(test);
  for (const [name, { value }] of selects) {
    if (!value) continue;
    if (name === DECISION) {
      tests.push((row) => (decisions.of(table.ids[row])?.action ?? "open") === value);
    } else {
      const { values, codes } = table.byName.get(name);
      const code = values.indexOf(value);
      tests.push((row) => code >= 0 && codes[row] === code);
    }
  }
  for (const [name, { "at least": low, "at most": high }] of Object.entries(ranges)) {
    const { data } = table.byName.get(name);
    if (low != null) tests.push((row) => data[row] >= low);
    if (high != null) tests.push((row) => data[row] <= high);
  }
  const text = search.value.trim();
  if (text) tests.push(table.find(text));
  return tests;
}

/** Sort what was found; the photo at the cursor stays at it. */
function arrange(gallery) {
  const { table, sort, count } = gallery;
  const current = gallery.order[gallery.cursor];
  gallery.order = gallery.found.slice();
  const alike = gallery.extras.get("alike");
  if (alike && !sort) gallery.order = Int32Array.from(alike.rows.filter((row) => gallery.found.includes(row)));
  if (sort) sortRows(gallery.order, table.byName.get(sort.slice(1)), sort[0] === "-" ? -1 : 1);
  gallery.cursor = Math.max(0, gallery.order.indexOf(current));
  layOut(gallery);
  placeRows(gallery);
  const many = gallery.order.length;
  if (!table.size) count.textContent = "No photos here.";
  else if (many === table.size) count.textContent = counted(many, "photo");
  else count.textContent = `${number(many)} of ${number(table.size)} photos`;
}

/** Note where each row is now; what is shown no longer is selected no longer. */
function placeRows(gallery) {
  const { order, placeOf, selected, events } = gallery;
  placeOf.fill(-1);
  order.forEach((row, place) => (placeOf[row] = place));
  const gone = [...selected].filter((row) => placeOf[row] < 0);
  if (gone.length) select(gallery, gone, "remove");
  events.dispatchEvent(new Event("shown"));
}

function sortRows(rows, column, sign) {
  const ranks = column.kind === "number" ? column.data : ranksOf(column);
  // What has no value stands last, either way.
  const value = (row) => (Number.isNaN(ranks[row]) ? Infinity : sign * ranks[row]);
  rows.sort((a, b) => {
    const x = value(a);
    const y = value(b);
    return x < y ? -1 : x > y ? 1 : a - b;
  });
}

/** The place of each row's value among the values by name. */
function ranksOf({ values, codes }) {
  const byName = values.map((_, code) => code).sort((a, b) => (values[a] < values[b] ? -1 : 1));
  const ranks = new Float32Array(values.length);
  byName.forEach((code, rank) => (ranks[code] = rank));
  return Float32Array.from(codes, (code) => (code < 0 ? NaN : ranks[code]));
}
