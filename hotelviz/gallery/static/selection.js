// The selection: the photos that the next act is on. `gallery.selected` is a Set of rows of the table,
// which only `select` changes. It holds photos that are shown: those that filters take away leave it.
// Whoever draws it listens: gallery.events tells "selection" when it changed, and "shown" when other
// photos are shown, or in another order (`gallery.order`: rows; `gallery.placeOf`: row -> place or -1).

const SELECTING = "hotelviz-selecting"; // told to the other galleries of a document
const HOLD = 450; // milliseconds of a long press

/** Change the selection by rows: how is "only" (these and no others), "add", "remove" or "toggle". */
function select(gallery, rows, how = "only") {
  const { selected, placeOf, events, root } = gallery;
  if (how === "only") selected.clear();
  for (const row of rows) {
    if (how === "remove" || (how === "toggle" && selected.has(row))) selected.delete(row);
    else if (placeOf[row] >= 0) selected.add(row);
  }
  // One gallery of a document has a selection: what a key acts on is never in doubt.
  if (selected.size) document.dispatchEvent(new CustomEvent(SELECTING, { detail: root }));
  events.dispatchEvent(new Event("selection"));
}

/** The selected rows in the order in which they are shown. */
function selectedRows({ selected, placeOf }) {
  return Int32Array.from(selected).sort((a, b) => placeOf[a] - placeOf[b]);
}

/** Select from the anchor to a place; what is folded away between them is not meant. */
function selectTo(gallery, place, how = "only") {
  const { order, placeOf, cursor } = gallery;
  gallery.anchor ??= order[cursor];
  const from = Math.max(0, placeOf[gallery.anchor]);
  const [first, last] = from < place ? [from, place] : [place, from];
  const rows = [];
  for (const section of gallery.sections) {
    if (gallery.closed.has(section.name)) continue;
    const end = Math.min(section.end, last + 1);
    for (let at = Math.max(section.start, first); at < end; at += 1) rows.push(order[at]);
  }
  select(gallery, rows, how);
}

function toggleSelected(gallery, place = gallery.cursor) {
  const row = gallery.order[place];
  if (row === undefined) return;
  gallery.anchor = row;
  select(gallery, [row], "toggle");
}

/** Select the group of the photo at the cursor; where it is selected, all photos that are shown. */
function selectGroup(gallery) {
  const { order, selected, cursor } = gallery;
  if (!order.length) return;
  const { start, end } = sectionAt(gallery, cursor);
  const rows = order.subarray(start, end);
  const whole = selected.size >= rows.length && rows.every((row) => selected.has(row));
  select(gallery, whole ? order : rows);
}

function clearSelection(gallery) {
  gallery.anchor = null;
  setSelecting(gallery, false);
  if (gallery.selected.size) select(gallery, []);
}

/** While it is on, a click or a tap selects, and opens nothing. */
function setSelecting(gallery, on) {
  gallery.selecting = on;
  gallery.selectButton.setAttribute("aria-pressed", String(on));
}

/** What a click on a photo does. */
function press(gallery, place, { shiftKey, ctrlKey, metaKey }) {
  const toggles = ctrlKey || metaKey;
  if (shiftKey) selectTo(gallery, place, toggles ? "add" : "only");
  else if (toggles || gallery.selecting) toggleSelected(gallery, place);
  const only = !shiftKey && !toggles && !gallery.selecting;
  moveTo(gallery, place, !only);
  if (only) enlarge(gallery);
}

/** A long press selects, and from then on taps do; the photos follow the selection. */
function watchSelection(gallery) {
  const { view, events, root } = gallery;
  let timer = 0;
  let held = false; // the click at the end of a long press is none
  const stop = () => clearTimeout(timer);
  view.addEventListener("pointerdown", ({ pointerType, target }) => {
    stop();
    held = false;
    const node = target.closest("figure");
    if (pointerType === "mouse" || !node) return;
    timer = setTimeout(() => {
      held = true;
      setSelecting(gallery, true);
      toggleSelected(gallery, gallery.placeOf[node.row]);
    }, HOLD);
  });
  for (const ends of ["pointerup", "pointercancel", "pointerleave"]) {
    view.addEventListener(ends, stop);
  }
  // Shift would mark the text between two clicks.
  view.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest("figure")) event.preventDefault();
  });
  view.addEventListener("contextmenu", (event) => held && event.preventDefault());
  view.addEventListener("click", (event) => held && event.stopPropagation(), true);
  events.addEventListener("selection", () => {
    refreshCards(gallery);
  });
  const others = ({ detail }) => detail !== root && clearSelection(gallery);
  document.addEventListener(SELECTING, others);
  return () => document.removeEventListener(SELECTING, others);
}
