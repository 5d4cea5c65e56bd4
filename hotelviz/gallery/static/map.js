// The map: where photos lie that are alike, beside the photos themselves; one canvas.

/** Build the map, if the photos have places; return what takes it away. */
function buildMap(gallery) {
  const { table, pair, events, decisions, root } = gallery;
  if (!table.positions) return () => {};
  const canvas = make("canvas", {
    class: "map", tabindex: "0", role: "application", "aria-roledescription": "map of photos",
  });
  const map = {
    canvas, context: canvas.getContext("2d"), image: null, pixels: null, ratio: 1, frame: 0, stale: true,
    places: indexPlaces(table), center: [0.5, 0.5], zoom: 1, mode: "move", stroke: null, modes: {},
    hovered: -1, cursorShown: false, pictures: new Map(),
    shadeOfRow: new Uint8Array(table.size), colourings: colouringsOf(gallery),
    legend: make("div", { class: "legend entries", role: "group" }),
    now: make("p", { class: "quiet now", role: "status" }),
    about: make("p", { class: "quiet" }),
    card: make("div", { class: "hovering", "aria-hidden": "true", hidden: true }),
    words: make("ul", {}),
  };
  gallery.map = map;
  map.colouring = map.colourings.find(({ name }) => name === table.colour) ?? map.colourings[0]
    ?? plainColouring(table);
  pair.classList.add("mapped");
  pair.prepend(mapPanel(gallery));
  setMode(gallery, "move");
  const stops = [watchWheel(gallery), watchMapSize(gallery), watchMapTheme(gallery)];
  watchPointers(gallery);
  canvas.addEventListener("keydown", (event) => onMapKey(gallery, event));
  for (const type of ["focus", "blur"]) canvas.addEventListener(type, () => showMapCursor(gallery));
  const decided = () => map.colouring.name === "decision" && colourMap(gallery);
  decisions.listeners.add(decided);
  for (const type of ["selection", "shown"]) events.addEventListener(type, () => tellMap(gallery));
  events.addEventListener("cursor", () => drawMap(gallery));
  events.addEventListener("photos", () => {
    if (map.hovered >= 0) fillCard(gallery);
    drawMap(gallery);
  });
  colourMap(gallery);
  return () => {
    for (const stop of stops) stop();
    decisions.listeners.delete(decided);
    cancelAnimationFrame(map.frame);
    for (const { bitmap } of map.pictures.values()) bitmap?.close();
    root.querySelector(".mapping")?.remove();
  };
}

/** Where nothing is known of the photos, all have one colour. */
function plainColouring({ size }) {
  return keyedColouring("none", "nothing", () => 0, size, [[0, "photos"]]);
}

function mapPanel(gallery) {
  const { map, table } = gallery;
  const options = map.colourings.map(({ title }, place) => [place, title]);
  const onchange = ({ target }) => {
    map.colouring = map.colourings[target.value];
    colourMap(gallery);
  };
  const colours = picker({ "aria-label": "Colour by", class: "colours", onchange }, options);
  colours.selectedIndex = Math.max(0, map.colourings.indexOf(map.colouring));
  const modes = { move: "move", lasso: "lasso", rectangle: "rectangle" };
  for (const [name, text] of Object.entries(modes)) {
    map.modes[name] = button({ onclick: () => setMode(gallery, name) }, text);
  }
  const tool = (name, text, onclick) => button({ "aria-label": name, title: name, onclick }, text);
  const summary = make("summary", {}, "The map in words");
  const details = make("details", { class: "words", ontoggle: () => writeWords(gallery) }, summary, map.words);
  map.details = details;
  const lost = table.size - map.places.many;
  map.lost = lost ? `${counted(lost, "photo")} ${lost === 1 ? "has" : "have"} no place on the map.` : "";
  const bar = { class: "bar", role: "group", "aria-label": "Map" };
  return make("div", { class: "mapping", role: "group", "aria-label": "Map of the photos" },
    make("div", bar,
      options.length ? make("label", {}, "colour by ", colours) : null,
      make("span", { class: "modes" }, ...Object.values(map.modes)),
      make("span", {},
        tool("Zoom in", "+", () => zoomMap(gallery, 1.5)),
        tool("Zoom out", "−", () => zoomMap(gallery, 1 / 1.5)),
        tool("Show the whole map", "whole", () => resetMap(gallery))),
      tool("Select the photos in view of the map", "select view", () => selectInView(gallery)),
      button({ onclick: () => showSelected(gallery) }, "only the selected")),
    make("div", { class: "sheet" }, map.canvas, map.card),
    map.legend, map.about, map.now, details,
  );
}

/** Colour the points anew, with their legend. */
function colourMap(gallery) {
  const { map, table } = gallery;
  if (map.colouring.name === "decision") map.colouring = decisionColouring(gallery);
  const { shadeOf } = map.colouring;
  for (let row = 0; row < table.size; row += 1) map.shadeOfRow[row] = shadeOf(row);
  map.shades ??= readShades(gallery);
  tellMap(gallery);
}

/** Colours as numbers, which the pixels of the canvas are made of: alpha, blue, green, red. */
function readShades(gallery) {
  const { root, map } = gallery;
  const theme = root.dataset.theme === "dark" ? "dark" : "light";
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const inNumbers = (text) => {
    map.context.fillStyle = text;
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(map.context.fillStyle.slice(at, at + 2), 16));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  };
  [map.ink, map.paper, map.accent] = ["ink", "paper", "accent"].map(colour);
  const css = shadesOf(theme);
  const [faint, glow] = [theme === "dark" ? "#2b333c" : "#e4e8ec", map.accent].map(inNumbers);
  return { css, values: Uint32Array.from(css, inNumbers), faint, glow };
}

function watchMapTheme(gallery) {
  const { root, map } = gallery;
  const themes = new MutationObserver(() => {
    map.shades = readShades(gallery);
    tellMap(gallery);
  });
  themes.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  return () => themes.disconnect();
}

function watchMapSize(gallery) {
  const { map } = gallery;
  const { canvas, context } = map;
  const sizes = new ResizeObserver(() => {
    map.ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * map.ratio);
    canvas.height = Math.round(canvas.clientHeight * map.ratio);
    if (!canvas.width || !canvas.height) return;
    map.image = context.createImageData(canvas.width, canvas.height);
    map.pixels = new Uint32Array(map.image.data.buffer);
    map.stale = true;
    // At once: a canvas whose size changed is empty.
    paintMapFrame(gallery);
  });
  sizes.observe(canvas);
  return () => sizes.disconnect();
}

/** Bring up to date what is drawn, and what is said of it. */
function tellMap(gallery) {
  const { map, order, table, selected } = gallery;
  const { title, entries } = map.colouring;
  drawLegend(gallery);
  const placed = counted(map.places.many, "photo");
  const shown = order.length === table.size ? "" : ` ${counted(order.length, "photo")} shown, the others faint.`;
  const chosen = selected.size ? ` ${number(selected.size)} selected.` : "";
  map.about.textContent = `${placed} on the map.${map.lost && ` ${map.lost}`}${shown}${chosen}`;
  const legend = entries.map(({ text, many }) => `${text} ${number(many)}`).join(", ");
  const label = `Map of photos, like ones near each other. ${map.about.textContent} Coloured by ${title}: ${legend}. `
    + "Arrows walk, Enter opens, Space selects, plus and minus zoom; the question mark lists all keys.";
  map.canvas.setAttribute("aria-label", label);
  writeWords(gallery);
  redrawMap(gallery);
}

const PARTS = [["lower left", "lower middle", "lower right"], ["middle left", "middle", "middle right"],
  ["upper left", "upper middle", "upper right"]];

/** Say where on the map the photos of each entry are: in words, for who does not see it. */
function writeWords({ map, table, placeOf }) {
  if (!map.details.open) return;
  const { x, y, rows } = map.places;
  const { entries, keyOf } = map.colouring;
  const ninths = new Map(entries.map(({ key }) => [key, new Int32Array(9)]));
  for (const row of rows) {
    if (placeOf[row] < 0) continue;
    const part = 3 * Math.min(2, Math.floor(3 * y[row])) + Math.min(2, Math.floor(3 * x[row]));
    ninths.get(keyOf(row))[part] += 1;
  }
  const line = ({ key, text }) => {
    const counts = ninths.get(key);
    const many = counts.reduce((sum, one) => sum + one, 0);
    const order = [...counts.keys()].filter((part) => counts[part]).sort((a, b) => counts[b] - counts[a]);
    const where = order.slice(0, 3).map((part) =>
      `${PARTS[Math.floor(part / 3)][part % 3]} ${percent(counts[part] / many)}`);
    return make("li", {}, `${text}: ${counted(many, "photo")}${many ? `; ${where.join(", ")}` : ""}`);
  };
  const lost = table.size > rows.length ? [make("li", {}, map.lost)] : [];
  map.words.replaceChildren(...entries.map(line), ...lost);
}

/** The cursor is drawn while the map has the focus. */
function showMapCursor(gallery) {
  gallery.map.cursorShown = document.activeElement === gallery.map.canvas;
  drawMap(gallery);
}

/** Say which photo the cursor is at. */
function tellPlace(gallery, row) {
  const { map, selected } = gallery;
  const error = gallery.source.photo(row)?.error;
  const said = [captionOf(gallery, row), error && "cannot be read", selected.has(row) && "selected"];
  map.now.textContent = said.filter(Boolean).join("; ");
}

/** Show the photo that is pointed at, beside the pointer. */
function hover(gallery, row) {
  const { map } = gallery;
  if (row === map.hovered) return;
  map.hovered = row;
  map.card.hidden = row < 0;
  if (row >= 0) fillCard(gallery);
  drawMap(gallery);
}

function fillCard(gallery) {
  const { map, table, source } = gallery;
  const { card, canvas, ratio, hovered: row } = map;
  const photo = source.photo(row);
  const picture = photo?.error !== undefined
    ? make("span", { class: "unread" }, table.ids[row])
    : make("img", { src: photo?.url ?? null, alt: "" });
  const caption = photo?.error !== undefined ? photo.error : captionOf(gallery, row);
  card.replaceChildren(picture, make("span", { class: "text" }, caption));
  const [left, top] = toPixels(map, map.places.x[row], map.places.y[row]).map((one) => one / ratio);
  const [right, low] = [left > canvas.clientWidth / 2, top > canvas.clientHeight / 2];
  card.style.left = right ? "auto" : `${left + 16}px`;
  card.style.right = right ? `${canvas.clientWidth - left + 16}px` : "auto";
  card.style.top = low ? "auto" : `${top + 12}px`;
  card.style.bottom = low ? `${canvas.clientHeight - top + 12}px` : "auto";
}
