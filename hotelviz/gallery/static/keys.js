// Keys, and the help on them.

const KEYS = [
  ["← → ↑ ↓", "walk through the photos; Home and End, Page up and Page down too"],
  ["Enter", "large view and back; Esc closes it"],
  ["Shift + arrow, Shift + click", "select from here to there"],
  ["Space, Ctrl + click", "select this photo too, or no longer"],
  ["a", "select the group; once more: all that are shown"],
  ["Esc", "select nothing"],
  ["1 – 9", "relabel: the number of the class"],
  ["x", "drop"],
  ["k", "keep"],
  ["l", "tag for later"],
  ["u", "undo the last act, and then the one before it"],
  ["c", "compare two to four selected photos"],
  ["h", "other photos of this hotel, and back"],
  ["m", "more like this, and back"],
  ["o", "the photo, or what the network saw in it"],
  ["s", "save what is selected, or all that is shown"],
  ["/", "search"],
  ["?", "this help"],
];

const KEYS_ON_MAP = [
  ["← → ↑ ↓", "walk to the nearest photo in that direction; with Shift it is selected too"],
  ["Enter, Space", "open this photo, select it"],
  ["+, -, 0", "zoom in, zoom out, the whole map; the wheel and two fingers zoom too"],
  ["v", "select the photos in view"],
  ["Shift + drag", "a rectangle; after the lasso, Shift adds to the selection"],
  ["Esc", "end the lasso or the rectangle; then select nothing"],
];

const WALKS = {
  ArrowRight: (gallery) => step(gallery, 1),
  ArrowLeft: (gallery) => step(gallery, -1),
  ArrowDown: (gallery) => moveLines(gallery, 1),
  ArrowUp: (gallery) => moveLines(gallery, -1),
  Home: (gallery) => goTo(gallery, 0),
  End: (gallery) => goTo(gallery, gallery.order.length - 1),
  PageDown: (gallery) => movePages(gallery, 1),
  PageUp: (gallery) => movePages(gallery, -1),
};

const ANYWHERE = {
  o: nextOverlay,
  u: undo,
  "?": (gallery) => gallery.help.showModal(),
  "/": ({ large, search }) => large.dialog.open || search.focus(),
};

// Only where a photo has the focus is it clear which one is meant.
const ON_PHOTO = {
  ...WALKS,
  x: (gallery) => decide(gallery, "drop"),
  k: (gallery) => decide(gallery, "keep"),
  l: (gallery) => decide(gallery, LATER),
  h: showHotel,
  m: showAlike,
};

// Of the photos beside each other, not of the one that is large.
const IN_GRID = {
  " ": (gallery) => toggleSelected(gallery),
  a: selectGroup,
  c: compare,
  s: save,
  Escape: clearSelection,
};

function buildHelp(gallery) {
  const classes = gallery.classes.map((name, i) => `${i + 1} ${words(name)}`).join(", ");
  gallery.help = make(
    "dialog", { class: "keys", "aria-label": "Keys" },
    make("h3", {}, "Keys"), definitions(KEYS), make("p", {}, classes),
    ...(gallery.table.positions ? [make("h3", {}, "On the map"), definitions(KEYS_ON_MAP)] : []),
    make("p", {}, "Acts are on the selection, or else on the photo that has the focus. By touch: a long ",
      "press selects, and then taps do."),
    button({ onclick: () => gallery.help.close() }, "close"),
  );
  gallery.root.append(gallery.help);
}

function onKey(gallery, event) {
  const { dialog, opacity } = gallery.large;
  event.stopPropagation();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (field && (field !== opacity || event.key.startsWith("Arrow"))) {
    if (event.key === "Escape" && !event.target.closest("dialog")) focusCard(gallery);
    return;
  }
  const act = gallery.help.open ? null : actionOf(gallery, event);
  if (!act) return;
  event.preventDefault();
  if (WALKS[event.key]) walk(gallery, act, event.shiftKey && !dialog.open);
  else act(gallery);
}

/** Walk; with Shift, what lies between is selected. */
function walk(gallery, act, selecting) {
  if (!selecting) gallery.anchor = null;
  else gallery.anchor ??= gallery.order[gallery.cursor];
  act(gallery);
  if (selecting) selectTo(gallery, gallery.cursor);
  if (gallery.large.dialog.open) show(gallery);
}

/** What a key does where it was pressed, if anything. */
function actionOf({ large: { dialog }, view, bar }, { key, target }) {
  if (target.closest("dialog:not(.large)")) return null;
  const onPhoto = dialog.open || target.closest("figure, canvas.map") || target === view;
  if (ANYWHERE[key]) return ANYWHERE[key];
  // Buttons of the bar are on the selection as well; Enter and Space press them.
  const onBar = bar.contains(target) && key !== " " && key !== "Enter";
  if (!onPhoto && !onBar) return undefined;
  if (/^[1-9]$/.test(key)) return (gallery) => relabel(gallery, Number(key));
  if (IN_GRID[key]) return dialog.open ? undefined : IN_GRID[key];
  if (key !== "Enter") return ON_PHOTO[key];
  if (!dialog.open) return enlarge;
  return target.closest(".large button:not(.photo)") ? null : () => dialog.close();
}
