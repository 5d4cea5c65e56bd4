// The map, drawn: points written into the pixels of one picture, small photos over them when few are in
// view, then what is being drawn by hand.

const MARGIN = 14; // pixels around the photos, at zoom 1
const MOST_ZOOM = 400;
const SMALL_PHOTO = 58; // pixels
const MOST_PHOTOS = 140; // in view, up to which they are drawn
const KEPT_PICTURES = 300;

/** Draw with the next frame. */
function drawMap(gallery) {
  const { map } = gallery;
  if (!map) return;
  map.frame ||= requestAnimationFrame(() => {
    map.frame = 0;
    paintMapFrame(gallery);
  });
}

/** What changed is more than what is drawn over the points. */
function redrawMap(gallery) {
  if (gallery.map) gallery.map.stale = true;
  drawMap(gallery);
}

/** Pixels of the canvas for one unit of the map. */
function mapScale({ canvas, zoom, ratio }) {
  return zoom * Math.max(1, Math.min(canvas.width, canvas.height) - 2 * MARGIN * ratio);
}

/** Where a place is, in pixels of the canvas. */
function toPixels(map, x, y) {
  const scale = mapScale(map);
  const { width, height } = map.canvas;
  return [width / 2 + (x - map.center[0]) * scale, height / 2 - (y - map.center[1]) * scale];
}

function toPlace(map, left, top) {
  const scale = mapScale(map);
  const { width, height } = map.canvas;
  return [map.center[0] + (left - width / 2) / scale, map.center[1] - (top - height / 2) / scale];
}

/** The rows in view, and a few beside it. */
function rowsInView(map) {
  const { width, height } = map.canvas;
  const [left, top] = toPlace(map, 0, 0);
  const [right, bottom] = toPlace(map, width, height);
  return rowsAround(map.places, [left, bottom, right, top]);
}

/** Points are smaller the more there are, and grow with the zoom. */
function pointRadius({ places: { many }, zoom, ratio }) {
  const base = many <= 500 ? 5 : many <= 5000 ? 3 : many <= 30_000 ? 2 : 1.4;
  return Math.min(6, base * zoom ** 0.3) * ratio;
}

/** A disc as offsets of pixels, with how much of each it covers. */
function makeStamp(radius) {
  const reach = Math.ceil(radius);
  const parts = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const cover = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(dx, dy)));
      if (cover > 0.1) parts.push([dx, dy, Math.round(255 * cover)]);
    }
  }
  const part = (which) => Int32Array.from(parts, (one) => one[which]);
  return { reach, dx: part(0), dy: part(1), cover: part(2) };
}

/** Write a disc around each row that is wanted. Pixels are alpha, blue, green, red in 32 bits. */
function stampRows(map, rows, stamp, colourOf) {
  const { width, height } = map.canvas;
  const { pixels, places, center } = map;
  const { reach, dx, dy, cover } = stamp;
  const scale = mapScale(map);
  const [left, top] = [width / 2 - center[0] * scale, height / 2 + center[1] * scale];
  for (const row of rows) {
    const colour = colourOf(row);
    if (!colour) continue;
    const x = Math.round(left + places.x[row] * scale);
    const y = Math.round(top - places.y[row] * scale);
    if (x < -reach || y < -reach || x >= width + reach || y >= height + reach) continue;
    const whole = x >= reach && y >= reach && x < width - reach && y < height - reach;
    for (let i = 0; i < cover.length; i += 1) {
      const [px, py] = [x + dx[i], y + dy[i]];
      if (!whole && (px < 0 || py < 0 || px >= width || py >= height)) continue;
      const at = py * width + px;
      // An edge is drawn where there is nothing more solid.
      if (cover[i] === 255) pixels[at] = colour;
      else if (pixels[at] >>> 24 < cover[i]) pixels[at] = ((colour & 0xffffff) | (cover[i] << 24)) >>> 0;
    }
  }
}

/** First the photos that filters leave out, faint; then those that are shown; then the selection. */
function paintPoints(gallery) {
  const { map, placeOf, selected } = gallery;
  const { shades: { values, faint, glow }, shadeOfRow } = map;
  map.pixels.fill(0);
  const rows = rowsInView(map);
  const radius = pointRadius(map);
  const point = makeStamp(radius);
  const chosen = new Uint8Array(placeOf.length);
  for (const row of selected) chosen[row] = 1;
  stampRows(map, rows, makeStamp(0.7 * radius), (row) => (placeOf[row] < 0 ? faint : 0));
  stampRows(map, rows, point, (row) => (placeOf[row] < 0 || chosen[row] ? 0 : values[shadeOfRow[row]]));
  if (!selected.size) return;
  stampRows(map, rows, makeStamp(radius + 3 * map.ratio), (row) => (chosen[row] ? glow : 0));
  stampRows(map, rows, point, (row) => (chosen[row] ? values[shadeOfRow[row]] : 0));
}

function paintMapFrame(gallery) {
  const { map } = gallery;
  const { canvas, context } = map;
  if (!map.pixels) return;
  if (map.stale) paintPoints(gallery);
  map.stale = false;
  context.putImageData(map.image, 0, 0);
  paintPhotos(gallery);
  const { order, cursor } = gallery;
  const current = order[cursor];
  if (current !== undefined && map.cursorShown) ring(map, current, 8, map.ink);
  if (map.hovered >= 0) ring(map, map.hovered, 6, map.ink);
  paintStroke(map);
}

function ring(map, row, radius, colour) {
  const { context, places, ratio } = map;
  if (Number.isNaN(places.x[row])) return;
  const [x, y] = toPixels(map, places.x[row], places.y[row]);
  for (const [width, style] of [[5, map.paper], [2, colour]]) {
    context.beginPath();
    context.arc(x, y, radius * ratio, 0, 2 * Math.PI);
    context.lineWidth = width * ratio;
    context.strokeStyle = style;
    context.stroke();
  }
}

/** The line that is being drawn around photos. */
function paintStroke({ context, stroke, ratio, ink, paper }) {
  if (!stroke || stroke.line.length < 2) return;
  context.beginPath();
  for (const [x, y] of stroke.line) context.lineTo(x, y);
  context.closePath();
  context.lineWidth = 4 * ratio;
  context.strokeStyle = paper;
  context.stroke();
  context.lineWidth = 2 * ratio;
  context.strokeStyle = ink;
  context.setLineDash([6 * ratio, 4 * ratio]);
  context.stroke();
  context.setLineDash([]);
}

/** The rows whose photos are drawn: zoomed in, while few are in view, none over another. */
function photosOnMap(gallery) {
  const { map, placeOf } = gallery;
  const { canvas, places, ratio } = map;
  if (map.zoom < 2) return [];
  const here = [];
  for (const row of rowsInView(map)) {
    if (placeOf[row] < 0) continue;
    const [x, y] = toPixels(map, places.x[row], places.y[row]);
    if (x >= 0 && y >= 0 && x < canvas.width && y < canvas.height) here.push({ row, x, y });
    if (here.length > MOST_PHOTOS) return [];
  }
  const apart = SMALL_PHOTO * ratio;
  const free = ({ x, y }) =>
    drawn.every((one) => Math.abs(one.x - x) >= apart || Math.abs(one.y - y) >= apart);
  const drawn = [];
  for (const one of here) if (free(one)) drawn.push(one);
  return drawn;
}

function paintPhotos(gallery) {
  const { map, source, selected } = gallery;
  const drawn = photosOnMap(gallery);
  const rows = drawn.map(({ row }) => row);
  if (map.hovered >= 0) rows.push(map.hovered);
  if (String(rows) !== String(gallery.mapRows)) {
    gallery.mapRows = rows;
    wantPhotos(gallery);
  }
  for (const { row, x, y } of drawn) {
    const photo = source.photo(row);
    const edge = selected.has(row) ? map.accent : map.shades.css[map.shadeOfRow[row]];
    if (photo?.error !== undefined) paintUnread(gallery, row, x, y, edge);
    else if (photo) paintPhoto(gallery, { row, x, y, edge, url: photo.url });
  }
}

function paintPhoto(gallery, { row, x, y, edge, url }) {
  const { map, selected } = gallery;
  const picture = pictureOf(gallery, row, url);
  if (!picture) return;
  const scale = ((SMALL_PHOTO - 6) * map.ratio) / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const border = (selected.has(row) ? 3 : 2) * map.ratio;
  map.context.fillStyle = edge;
  map.context.fillRect(x - width / 2 - border, y - height / 2 - border, width + 2 * border, height + 2 * border);
  map.context.drawImage(picture, x - width / 2, y - height / 2, width, height);
}

/** A photo that cannot be read: grey, with its name. */
function paintUnread({ map, table }, row, x, y, edge) {
  const { context, ratio } = map;
  const [width, height] = [(SMALL_PHOTO - 6) * ratio, (SMALL_PHOTO - 20) * ratio];
  context.fillStyle = edge;
  context.fillRect(x - width / 2 - 2, y - height / 2 - 2, width + 4, height + 4);
  context.fillStyle = "#c6ccd2";
  context.fillRect(x - width / 2, y - height / 2, width, height);
  context.fillStyle = "#1c2430";
  context.font = `${10 * ratio}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(shortened(table.ids[row], 10), x, y, width);
}

/** The end of a name tells more than its beginning. */
function shortened(name, most) {
  const letters = Array.from(name);
  return letters.length > most ? `…${letters.slice(1 - most).join("")}` : name;
}

/** A photo made small once, beside the drawing; what was used last is kept. */
function pictureOf(gallery, row, url) {
  const { pictures } = gallery.map;
  const kept = pictures.get(row);
  if (kept) {
    pictures.delete(row);
    pictures.set(row, kept);
    return kept.bitmap;
  }
  pictures.set(row, { bitmap: null });
  const image = new Image();
  const made = async () => {
    const side = 2 * SMALL_PHOTO;
    const scale = Math.min(1, side / Math.max(image.naturalWidth, image.naturalHeight));
    const [resizeWidth, resizeHeight] = [image.naturalWidth, image.naturalHeight].map((size) =>
      Math.max(1, Math.round(size * scale)));
    const bitmap = await createImageBitmap(image, { resizeWidth, resizeHeight, resizeQuality: "medium" });
    if (pictures.has(row)) pictures.set(row, { bitmap });
    drawMap(gallery);
  };
  image.onload = () => made().catch(() => pictures.delete(row));
  image.src = url;
  for (const [oldest, { bitmap }] of pictures) {
    if (pictures.size <= KEPT_PICTURES) break;
    pictures.delete(oldest);
    bitmap?.close();
  }
  return null;
}
