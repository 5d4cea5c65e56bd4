// Maps laid over photos.

/** Lay a photo's map over it, or take it off. */
function showMap(gallery, holder, row, photo) {
  const { table, overlay, opacity } = gallery;
  let canvas = holder.querySelector("canvas");
  const values = overlay && photo && !photo.error && table.map(row, photo);
  holder.classList.toggle("laid", Boolean(values));
  const image = holder.querySelector("img");
  if (!values || !image) {
    canvas?.remove();
    return;
  }
  if (!image.naturalWidth) {
    // The map takes the photo's proportions, which are not known yet.
    image.onload = () => showMap(gallery, holder, row, photo);
    return;
  }
  if (!canvas) {
    canvas = paintMap(table, values, image.naturalHeight / image.naturalWidth);
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

function toggleOverlay(gallery) {
  if (!gallery.table.maps_size) return;
  gallery.overlay = !gallery.overlay;
  gallery.overlayButton.setAttribute("aria-pressed", String(gallery.overlay));
  refresh(gallery);
}
