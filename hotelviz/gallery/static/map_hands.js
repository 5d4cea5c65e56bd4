// Hands on the map: moving, zooming, drawing around photos; and the keys for all of it.

const NEAR = 12; // pixels from a photo to the pointer
const MOVED = 4; // pixels, from which on a press is no click
const ELSEWHERE = 400; // milliseconds after which a wheel begins anew

const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const MAP_KEYS = {
  Enter: (gallery) => enlarge(gallery, focusMap),
  " ": (gallery) => toggleSelected(gallery),
  "+": (gallery) => zoomMap(gallery, 1.5),
  "=": (gallery) => zoomMap(gallery, 1.5),
  "-": (gallery) => zoomMap(gallery, 1 / 1.5),
  0: (gallery) => resetMap(gallery),
  v: selectInView,
  Escape: leaveMode,
};

function focusMap({ map }) {
  map.canvas.focus({ preventScroll: true });
}

const isShown = ({ placeOf }) => (row) => placeOf[row] >= 0;

/** Zoom around a point of the canvas, or around its middle. */
function zoomMap(gallery, factor, point) {
  const { map } = gallery;
  const { width, height } = map.canvas;
  const [left, top] = point ?? [width / 2, height / 2];
  const before = toPlace(map, left, top);
  map.zoom = Math.max(1, Math.min(MOST_ZOOM, map.zoom * factor));
  const after = toPlace(map, left, top);
  moveMap(gallery, before[0] - after[0], before[1] - after[1]);
}

/** Move what is in the middle, which stays among the photos. */
function moveMap(gallery, dx, dy) {
  const { center } = gallery.map;
  const within = (value) => Math.max(-0.05, Math.min(1.05, value));
  gallery.map.center = [within(center[0] + dx), within(center[1] + dy)];
  hover(gallery, -1);
  redrawMap(gallery);
}

function resetMap(gallery) {
  Object.assign(gallery.map, { zoom: 1, center: [0.5, 0.5] });
  redrawMap(gallery);
}

function setMode(gallery, mode) {
  const { map } = gallery;
  map.mode = mode;
  map.stroke = null;
  map.canvas.style.cursor = mode === "move" ? "grab" : "crosshair";
  for (const [name, control] of Object.entries(map.modes)) {
    control.setAttribute("aria-pressed", String(name === mode));
  }
  drawMap(gallery);
}

/** Escape: what is being drawn, then the mode, then the selection. */
function leaveMode(gallery) {
  const { map } = gallery;
  if (map.stroke || map.mode !== "move") setMode(gallery, "move");
  else clearSelection(gallery);
}

/** Show what lies within a line of pixels, selected; with Shift together with what was. */
function selectWithin(gallery, line, adds) {
  const { map, selected } = gallery;
  const corners = line.map(([x, y]) => toPlace(map, x, y));
  // Among all that the other filters let through: a second loop replaces the first.
  const tests = filterTests(gallery, "selected");
  const test = (row) => tests.every((one) => one(row));
  const rows = new Set(adds ? selected : []);
  for (const row of rowsWithin(map.places, corners, test)) rows.add(row);
  if (!rows.size) {
    say(gallery, "No photo that is shown lies within.");
    return;
  }
  showOnly(gallery, "selected", rows, { text: `only ${counted(rows.size, "selected photo")}` });
  gallery.view.scrollTop = 0;
  select(gallery, rows);
  say(gallery, "");
  map.now.textContent = `${counted(rows.size, "photo")} selected.`;
}

function selectInView(gallery) {
  const { width, height } = gallery.map.canvas;
  selectWithin(gallery, [[0, 0], [width, 0], [width, height], [0, height]], false);
}

/** The photo that is pointed at, or -1. */
function photoAt(gallery, [left, top]) {
  const { map } = gallery;
  const [x, y] = toPlace(map, left, top);
  const drawn = photosOnMap(gallery).findLast((one) =>
    Math.max(Math.abs(one.x - left), Math.abs(one.y - top)) < (SMALL_PHOTO / 2) * map.ratio);
  if (drawn) return drawn.row;
  return nearestPlace(map.places, x, y, (NEAR * map.ratio) / mapScale(map), isShown(gallery));
}

function pressMap(gallery, row, event) {
  if (row < 0) return;
  goTo(gallery, gallery.placeOf[row]);
  const chooses = event.shiftKey || event.ctrlKey || event.metaKey || gallery.selecting;
  if (chooses) toggleSelected(gallery);
  else enlarge(gallery, focusMap);
}

function watchPointers(gallery) {
  const { map } = gallery;
  const { canvas } = map;
  const down = new Map(); // pointers that are pressed -> where they are
  const at = ({ offsetX, offsetY }) => [offsetX * map.ratio, offsetY * map.ratio];
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    const rectangle = event.shiftKey && map.mode === "move";
    const mode = rectangle ? "rectangle" : map.mode;
    // Two fingers move and zoom, whatever one of them has begun.
    map.stroke = down.size > 1 ? null : { mode, from: at(event), line: [], moved: false, adds: event.shiftKey };
    if (map.stroke) hover(gallery, -1);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) {
      if (event.pointerType === "mouse") hover(gallery, photoAt(gallery, at(event)));
      return;
    }
    const before = new Map(down);
    down.set(event.pointerId, at(event));
    if (down.size > 1) pinch(gallery, [...before.values()], [...down.values()]);
    else if (map.stroke) drag(gallery, before.get(event.pointerId), at(event));
  });
  canvas.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    const { stroke } = map;
    map.stroke = null;
    if (stroke) endStroke(gallery, stroke, at(event), event);
    drawMap(gallery);
  });
  canvas.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    map.stroke = null;
    drawMap(gallery);
  });
  canvas.addEventListener("pointerleave", () => hover(gallery, -1));
}

function drag(gallery, before, now) {
  const { map } = gallery;
  const { stroke } = map;
  stroke.moved ||= Math.hypot(now[0] - stroke.from[0], now[1] - stroke.from[1]) > MOVED * map.ratio;
  if (!stroke.moved) return;
  if (stroke.mode === "move") {
    const from = stroke.begun ? before : stroke.from;
    stroke.begun = true;
    const [x, y] = toPlace(map, ...from);
    const [toX, toY] = toPlace(map, ...now);
    moveMap(gallery, x - toX, y - toY);
  } else if (stroke.mode === "lasso") stroke.line.push(now);
  else {
    const [left, top] = stroke.from;
    stroke.line = [[left, top], [now[0], top], now, [left, now[1]]];
  }
  drawMap(gallery);
}

function endStroke(gallery, stroke, point, event) {
  if (!stroke.moved) pressMap(gallery, photoAt(gallery, point), event);
  else if (stroke.mode !== "move") selectWithin(gallery, stroke.line, stroke.adds);
}

function pinch(gallery, [a, b], [c, d]) {
  const middle = (one, other) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
  const apart = (one, other) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));
  const { map } = gallery;
  const [x, y] = toPlace(map, ...middle(a, b));
  const [toX, toY] = toPlace(map, ...middle(c, d));
  moveMap(gallery, x - toX, y - toY);
  zoomMap(gallery, apart(c, d) / apart(a, b), middle(c, d));
}

/** The wheel zooms; but a page that is being scrolled does not stop at the map. */
function watchWheel(gallery) {
  const { map } = gallery;
  let elsewhere = -Infinity;
  const note = (event) => {
    if (event.target !== map.canvas) elsewhere = event.timeStamp;
  };
  document.addEventListener("wheel", note, { passive: true, capture: true });
  map.canvas.addEventListener("wheel", (event) => {
    if (event.timeStamp - elsewhere < ELSEWHERE) {
      elsewhere = event.timeStamp;
      return;
    }
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? 30 : 1);
    const factor = Math.exp(-Math.max(-400, Math.min(400, pixels)) / 500);
    zoomMap(gallery, factor, [event.offsetX * map.ratio, event.offsetY * map.ratio]);
  }, { passive: false });
  return () => document.removeEventListener("wheel", note, { capture: true });
}

/** Keys while the map has the focus; what it has no use for goes on to the gallery. */
function onMapKey(gallery, event) {
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return;
  if (DIRECTIONS[key]) walkMap(gallery, DIRECTIONS[key], shiftKey);
  else if (Object.hasOwn(MAP_KEYS, key)) MAP_KEYS[key](gallery);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Walk to the nearest photo in a direction; with Shift it is selected too. */
function walkMap(gallery, direction, selecting) {
  const { map, order, cursor, placeOf } = gallery;
  const { places } = map;
  const from = order[cursor];
  const placed = from !== undefined && !Number.isNaN(places.x[from]);
  const test = isShown(gallery);
  const row = placed
    ? nextPlace(places, from, direction, test)
    : nearestPlace(places, ...map.center, 2, test);
  if (row < 0) {
    map.now.textContent = "No photo further in this direction.";
    return;
  }
  if (selecting) select(gallery, placed ? [from, row] : [row], "add");
  goTo(gallery, placeOf[row]);
  keepInView(gallery, row);
  tellPlace(gallery, row);
}

function keepInView(gallery, row) {
  const { map } = gallery;
  const { width, height } = map.canvas;
  const [x, y] = [map.places.x[row], map.places.y[row]];
  const [left, top] = toPixels(map, x, y);
  const edge = Math.min(30 * map.ratio, width / 4);
  if (left > edge && top > edge && left < width - edge && top < height - edge) return;
  if (map.zoom > 1) moveMap(gallery, x - map.center[0], y - map.center[1]);
}
