// Two to four photos beside each other, zoomed and moved together.

const FULL = 6000; // pixels of the longer side that a live gallery shows at most, as in the kernel

function buildCompare(gallery) {
  const panes = make("div", { class: "panes" });
  const scale = make("span", { class: "scale", role: "status" });
  const by = (factor) => () => zoomBy(gallery, factor);
  const dialog = make(
    "dialog",
    {
      class: "compare", "aria-label": "Compare", onkeydown: (event) => onCompareKey(gallery, event),
      onclose: () => closeCompare(gallery),
    },
    make("div", { class: "top" },
      button({ onclick: () => zoomTo(gallery, 1) }, "100 %", make("kbd", {}, "z")),
      button({ onclick: () => zoomTo(gallery, null) }, "fit", make("kbd", {}, "f")),
      button({ "aria-label": "Smaller", onclick: by(0.8) }, "−"),
      button({ "aria-label": "Larger", onclick: by(1.25) }, "+"), scale,
      button({ class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
    panes,
  );
  gallery.compared = { dialog, scale, holder: panes, panes: [], zoom: null, x: 0.5, y: 0.5, urls: [] };
  new ResizeObserver(() => placePhotos(gallery)).observe(panes);
  gallery.root.append(dialog);
}

function compare(gallery) {
  const { compared, selected } = gallery;
  if (selected.size < 2 || selected.size > 4) {
    const many = selected.size ? `${number(selected.size)} are` : "none is";
    say(gallery, `Select two to four photos to compare; ${many} selected.`);
    return;
  }
  Object.assign(compared, { zoom: null, x: 0.5, y: 0.5 });
  compared.panes = Array.from(selectedRows(gallery), (row) => paneOf(gallery, row));
  compared.holder.replaceChildren(...compared.panes.map(({ node }) => node));
  compared.dialog.showModal();
  compared.panes[0].node.focus();
  describePanes(gallery);
  fillPanes(gallery, compared.panes);
}

/** The photos that are there at once, and then, one after the other, as large as they can be had. */
async function fillPanes(gallery, panes) {
  const { compared, source } = gallery;
  for (const pane of panes) {
    const small = source.photo(pane.row);
    if (small) fillPane(gallery, pane, small);
  }
  for (const pane of panes) {
    const photo = await source.large(pane.row, true);
    if (photo.url?.startsWith("blob:")) compared.urls.push(photo.url);
    if (compared.panes !== panes) return;
    pane.whole = true;
    fillPane(gallery, pane, photo);
  }
}

function paneOf(gallery, row) {
  const { editable } = gallery;
  const image = make("img", { alt: captionOf(gallery, row), draggable: "false" });
  const frame = make("div", { class: "frame" }, image);
  const size = make("p", { class: "quiet" });
  const decided = make("strong", { class: "decided" });
  const act = (name, key, action) =>
    button({ onclick: () => decideRows(gallery, [row], action) }, name, make("kbd", {}, key));
  const acts = editable
    ? [act("keep", "k", "keep"), act("drop", "x", "drop"), act("later", "l", LATER)] : [];
  const about = { class: "pane", tabindex: "0", role: "group", "aria-label": captionOf(gallery, row) };
  const node = make(
    "div", about, frame, make("p", { class: "caption" }, captionOf(gallery, row)), size,
    make("div", { class: "acts" }, ...acts, decided),
  );
  const pane = { node, frame, image, size, decided, row, whole: false };
  image.addEventListener("load", () => placePhotos(gallery));
  dragTogether(gallery, pane);
  return pane;
}

function fillPane(gallery, pane, { url, error }) {
  if (error === undefined) pane.image.src = url;
  else pane.frame.replaceChildren(make("p", { class: "error" }, error));
}

/** Lay the photos into their frames: the same place of each is in the middle, at the same zoom. */
function placePhotos({ compared, live }) {
  const { panes, zoom, x, y, scale } = compared;
  for (const pane of panes) {
    const { image, frame, size, whole } = pane;
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (!width) continue;
    pane.fit = Math.min(frame.clientWidth / width, frame.clientHeight / height);
    pane.scale = zoom ?? pane.fit;
    const offset = (room, extent, middle) => {
      if (extent <= room) return (room - extent) / 2;
      return Math.min(0, Math.max(room - extent, room / 2 - middle * extent));
    };
    const left = offset(frame.clientWidth, width * pane.scale, x);
    const top = offset(frame.clientHeight, height * pane.scale, y);
    Object.assign(pane, { left, top });
    image.style.transform = `translate(${left}px, ${top}px) scale(${pane.scale})`;
    const pixels = `${number(width)} × ${number(height)} pixels`;
    const cut = Math.max(width, height) >= FULL ? "; larger photos are shown no larger" : "";
    if (!live) size.textContent = `${pixels}: all that this page carries`;
    else size.textContent = whole ? `${pixels}, from the file${cut}` : "reading the file …";
  }
  scale.textContent = zoom === null ? "fitted" : `${Math.round(100 * zoom)} %`;
}

function zoomTo(gallery, zoom) {
  gallery.compared.zoom = zoom;
  placePhotos(gallery);
}

function zoomBy(gallery, factor) {
  const { zoom, panes } = gallery.compared;
  const now = zoom ?? panes.find((pane) => pane.scale)?.scale ?? 1;
  zoomTo(gallery, Math.min(8, Math.max(0.05, now * factor)));
}

/** Move all photos by pixels of one of them. */
function panBy(gallery, pane, right, down) {
  const { compared } = gallery;
  if (!pane?.scale) return;
  const { image, frame, scale } = pane;
  const moved = (middle, by, room, extent) => {
    const margin = Math.min(0.5, room / extent / 2);
    return Math.min(1 - margin, Math.max(margin, middle + by / extent));
  };
  compared.x = moved(compared.x, right, frame.clientWidth, image.naturalWidth * scale);
  compared.y = moved(compared.y, down, frame.clientHeight, image.naturalHeight * scale);
  placePhotos(gallery);
}

function dragTogether(gallery, pane) {
  const { frame } = pane;
  let from = null;
  frame.addEventListener("pointerdown", (event) => {
    from = event;
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from) return;
    panBy(gallery, pane, from.clientX - event.clientX, from.clientY - event.clientY);
    from = event;
  });
  for (const ends of ["pointerup", "pointercancel"]) {
    frame.addEventListener(ends, () => (from = null));
  }
  frame.addEventListener("dblclick", () => zoomTo(gallery, gallery.compared.zoom === 1 ? null : 1));
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(gallery, event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
}

/** Bring what is said below the photos up to date. */
function describePanes({ compared, decisions, table }) {
  for (const { decided, row } of compared.panes) {
    const decision = decisions.of(table.ids[row]);
    decided.textContent = decision ? badgeOf(decision) : "";
  }
}

const PANS = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] };

function onCompareKey(gallery, event) {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return;
  const { panes, zoom } = gallery.compared;
  const pane = panes.find(({ node }) => node.contains(target)) ?? panes[0];
  const on = (action, label) => gallery.editable && decideRows(gallery, [pane.row], action, label);
  const acts = {
    z: () => zoomTo(gallery, zoom === 1 ? null : 1), f: () => zoomTo(gallery, null),
    "+": () => zoomBy(gallery, 1.25), "-": () => zoomBy(gallery, 0.8),
    k: () => on("keep"), x: () => on("drop"), l: () => on(LATER), u: () => undo(gallery),
  };
  const label = /^[1-9]$/.test(key) ? gallery.classes[key - 1] : undefined;
  const act = PANS[key] ? () => panBy(gallery, pane, ...PANS[key])
    : label !== undefined ? () => on("relabel", label) : acts[key];
  if (!act) return;
  event.preventDefault();
  act();
}

function closeCompare(gallery) {
  const { compared } = gallery;
  for (const url of compared.urls) URL.revokeObjectURL(url);
  Object.assign(compared, { panes: [], urls: [] });
  compared.holder.replaceChildren();
  focusCard(gallery);
}
