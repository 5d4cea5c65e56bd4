// Maps laid over photos: what speaks for the predicted class, for the true one, for the first rather
// than the second; `gallery.overlay` is the one that is shown, -1 the photo alone.

/** What the photos show, in words. */
function overlayTitle({ overlay, table }) {
  return overlay < 0 ? "photo" : table.overlays[overlay];
}

/** Lay a photo's map over it, or take it off. */
function showMap(gallery, holder, row, photo) {
  const { table, overlay, opacity } = gallery;
  let canvas = holder.querySelector("canvas");
  const values = overlay >= 0 && photo && !photo.error && table.map(row, photo, overlay);
  holder.classList.toggle("laid", Boolean(values));
  const image = holder.querySelector("img");
  if (canvas && (!values || canvas.overlay !== overlay)) {
    canvas.remove();
    canvas = null;
  }
  if (!values || !image) return;
  if (!image.naturalWidth) {
    // The map takes the photo's proportions, which are not known yet.
    image.onload = () => showMap(gallery, holder, row, photo);
    return;
  }
  if (!canvas) {
    canvas = paintMap(table, values, image.naturalHeight / image.naturalWidth);
    canvas.overlay = overlay;
    holder.append(canvas);
  }
  canvas.style.opacity = opacity;
}

/** Draw a map in the proportions of its photo, stretched smoothly. */
function paintMap({ maps_size: [height, width], ramp }, values, proportion) {
  const small = make("canvas", { width, height });
  const pixels = small.getContext("2d").createImageData(width, height);
  values.forEach((value, i) => {
    pixels.data.set(ramp.subarray(3 * value, 3 * value + 3), 4 * i);
    pixels.data[4 * i + 3] = 255;
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const size = { width: 240, height: Math.round(240 * proportion) };
  const canvas = make("canvas", { ...size, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function showOverlay(gallery, overlay) {
  gallery.overlay = overlay;
  gallery.overlayControl.value = overlay;
  gallery.large.overlay.textContent = overlayTitle(gallery);
  refresh(gallery);
}

/** The photo, then one map after the other, and the photo again. */
function nextOverlay(gallery) {
  const many = gallery.table.overlays.length;
  if (many) showOverlay(gallery, gallery.overlay + 1 < many ? gallery.overlay + 1 : -1);
}

function overlayControl(gallery) {
  const options = gallery.table.overlays.map((title, which) => [which, title]);
  const onchange = ({ target }) => showOverlay(gallery, Number(target.value));
  const attributes = { class: "overlay", "aria-label": "What the photos show", onchange };
  gallery.overlayControl = picker(attributes, [[-1, "photo"], ...options]);
  return options.length ? gallery.overlayControl : null;
}
