// The cursor: the photo that keys act on, which has the focus.

function moveTo(gallery, place, focus = true) {
  const { order, cards, lines, view, large } = gallery;
  if (!order.length) return;
  const before = cards.get(gallery.cursor);
  if (before?.row !== undefined) {
    before.firstChild.tabIndex = -1;
    before.classList.remove("cursor");
  }
  gallery.cursor = Math.max(0, Math.min(order.length - 1, place));
  const line = lines.find((one) => holds(one, gallery.cursor));
  if (line && focus) {
    scrollTo(view, line);
    draw(gallery);
  }
  const node = cards.get(gallery.cursor);
  if (node?.row === undefined) return;
  node.firstChild.tabIndex = 0;
  node.classList.add("cursor");
  // A small gallery does not scroll: the page does.
  if (focus && gallery.small) node.scrollIntoView({ block: "nearest" });
  if (focus && !large.dialog.open) node.firstChild.focus({ preventScroll: true });
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

/** Go lines up or down, in the same column; headings and folded groups are passed over. */
function moveLines(gallery, by) {
  const photos = gallery.lines.filter((line) => line.first !== undefined);
  const at = photos.findIndex((line) => holds(line, gallery.cursor));
  if (at < 0) {
    // The cursor is in a folded group.
    step(gallery, Math.sign(by));
    return;
  }
  const next = photos[Math.max(0, Math.min(photos.length - 1, at + by))];
  const column = gallery.cursor - photos[at].first;
  moveTo(gallery, Math.min(next.end - 1, next.first + column));
}

function movePages(gallery, by) {
  const height = Math.min(gallery.view.clientHeight, window.innerHeight);
  const lines = Math.floor(height / (gallery.cardHeight + GAP));
  moveLines(gallery, by * Math.max(1, lines));
}

/** Go to the next photo or the one before; folded groups are passed over. */
function step(gallery, by) {
  const last = gallery.order.length - 1;
  const shown = (place) => gallery.lines.some((line) => holds(line, place));
  let place = gallery.cursor + by;
  while (place > 0 && place < last && !shown(place)) place += by;
  if (place >= 0 && place <= last && shown(place)) moveTo(gallery, place);
}
