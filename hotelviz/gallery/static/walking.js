// The cursor: the photo that keys act on, which has the focus.

function moveTo(gallery, place, focus = true) {
  const { order, cards, lines, view, large, map, events } = gallery;
  if (!order.length) return;
  const before = cards.get(gallery.cursor);
  if (before?.row !== undefined) {
    before.firstChild.tabIndex = -1;
    before.classList.remove("cursor");
  }
  gallery.cursor = Math.max(0, Math.min(order.length - 1, place));
  events.dispatchEvent(new Event("cursor"));
  const line = lines.find((one) => holds(one, gallery.cursor));
  if (line && focus) {
    scrollTo(view, line);
    draw(gallery);
  }
  const node = cards.get(gallery.cursor);
  if (node?.row === undefined) return;
  node.firstChild.tabIndex = 0;
  node.classList.add("cursor");
  // Who walks on the map stays there.
  if (!focus || (map && document.activeElement === map.canvas)) return;
  // A small gallery does not scroll: the page does.
  if (gallery.small) node.scrollIntoView({ block: "nearest" });
  if (!large.dialog.open) node.firstChild.focus({ preventScroll: true });
}

/** Is a place in this line? Headings have none. */
function holds({ first, end }, place) {
  return first <= place && place < end;
}

function scrollTo(view, line) {
  const { top } = line;
  const bottom = top + line.height;
  const height = view.clientHeight;
  if (top < view.scrollTop) view.scrollTop = top - 6;
  else if (bottom > view.scrollTop + height) view.scrollTop = bottom - height + 6;
}

function focusCard(gallery) {
  moveTo(gallery, gallery.cursor);
}

/** Go to a place, also into a folded group, which unfolds. */
function goTo(gallery, place) {
  const section = sectionAt(gallery, place);
  if (section && gallery.closed.delete(section.name)) layOut(gallery);
  moveTo(gallery, place);
}

/** Go to the next photo or the one before, also into a folded group. */
function step(gallery, by) {
  const place = gallery.cursor + by;
  if (place >= 0 && place < gallery.order.length) goTo(gallery, place);
}

/** Go lines up or down, in the same column; folded groups are passed over while there are others. */
function moveLines(gallery, by) {
  const photos = gallery.lines.filter((line) => line.first !== undefined);
  const at = photos.findIndex((line) => holds(line, gallery.cursor));
  if (at < 0) {
    leaveFolded(gallery, photos, Math.sign(by));
    return;
  }
  const line = photos[at];
  const next = photos[Math.max(0, Math.min(photos.length - 1, at + by))];
  if (next === line) {
    const beyond = by > 0 ? line.end : line.first - 1;
    if (beyond >= 0 && beyond < gallery.order.length) goTo(gallery, beyond);
    return;
  }
  moveTo(gallery, Math.min(next.end - 1, next.first + gallery.cursor - line.first));
}

/** From a folded group to the nearest photo before or after it; into it, where there is none. */
function leaveFolded(gallery, photos, by) {
  const { cursor } = gallery;
  const line = by > 0
    ? photos.find(({ first }) => first > cursor)
    : photos.findLast(({ end }) => end <= cursor);
  if (!line) goTo(gallery, cursor);
  else moveTo(gallery, by > 0 ? line.first : line.end - 1);
}

function movePages(gallery, by) {
  const height = Math.min(gallery.view.clientHeight, window.innerHeight);
  const lines = Math.floor(height / (gallery.cardHeight + GAP));
  moveLines(gallery, by * Math.max(1, lines));
}
