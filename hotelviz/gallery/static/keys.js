// Keys, and the help on them.

const KEYS = [
  ["← → ↑ ↓", "walk through the photos; Home and End, Page up and Page down too"],
  ["Enter", "large view and back; Esc closes it"],
  ["o", "overlay on or off"],
  ["1 – 9", "relabel: the number of the class"],
  ["x", "drop"],
  ["k", "keep"],
  ["u", "undo the last decision"],
  ["/", "search"],
  ["?", "this help"],
];

const WALKS = {
  ArrowRight: (gallery) => step(gallery, 1),
  ArrowLeft: (gallery) => step(gallery, -1),
  ArrowDown: (gallery) => moveLines(gallery, 1),
  ArrowUp: (gallery) => moveLines(gallery, -1),
  Home: (gallery) => moveTo(gallery, 0),
  End: (gallery) => moveTo(gallery, gallery.order.length - 1),
  PageDown: (gallery) => movePages(gallery, 1),
  PageUp: (gallery) => movePages(gallery, -1),
};

const ANYWHERE = {
  o: toggleOverlay,
  u: undo,
  "?": (gallery) => gallery.help.showModal(),
  "/": ({ large, search }) => large.dialog.open || search.focus(),
};

// Only where a photo has the focus is it clear which one is meant.
const ON_PHOTO = {
  ...WALKS,
  x: (gallery) => decide(gallery, "drop"),
  k: (gallery) => decide(gallery, "keep"),
};

function buildHelp(gallery) {
  const classes = gallery.classes.map((name, i) => `${i + 1} ${words(name)}`).join(", ");
  gallery.help = make(
    "dialog", { class: "keys", "aria-label": "Keys" },
    make("h3", {}, "Keys"), definitions(KEYS), make("p", {}, classes),
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
    if (event.key === "Escape") focusCard(gallery);
    return;
  }
  const act = gallery.help.open ? null : actionOf(gallery, event);
  if (!act) return;
  event.preventDefault();
  act(gallery);
  if (dialog.open && WALKS[event.key]) show(gallery);
}

/** What a key does where it was pressed, if anything. */
function actionOf({ large: { dialog }, view }, { key, target }) {
  const onPhoto = dialog.open || target.closest("figure") || target === view;
  if (ANYWHERE[key] || !onPhoto) return ANYWHERE[key];
  if (/^[1-9]$/.test(key)) return (gallery) => relabel(gallery, Number(key));
  if (key !== "Enter") return ON_PHOTO[key];
  if (!dialog.open) return enlarge;
  return target.closest(".large button:not(.photo)") ? null : () => dialog.close();
}
