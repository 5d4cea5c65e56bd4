// Keys: one rates a photo.

const TOOLS = {
  ArrowLeft: (page) => page.undo(),
  Backspace: (page) => page.undo(),
  u: (page) => page.undo(),
  s: chooseReason,
  "?": showHelp,
};

function onKey(page, event) {
  const typing = event.target.matches("input, textarea, select, [contenteditable]");
  const inside = page.root.contains(event.target);
  if (!inside && typing) return;
  // The notebook around must not take these keys for its own.
  if (inside) event.stopPropagation();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // A key that is held down rates one photo, not all that follow.
  if (event.repeat) return;
  const act = actionOf(page, event);
  if (!act) return;
  event.preventDefault();
  act(page);
}

/** What a key does now, if anything. */
function actionOf(page, event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (page.dialog.open) return page.reasons[Number(key) - 1];
  if (TOOLS[key]) return TOOLS[key];
  const reason = page.photos.kept.get(page.position)?.error;
  const skips = key === "Enter" && reason && !event.target.matches("button");
  if (skips) return () => page.rate({ reason });
  const choice = page.keys.get(key);
  return choice && (() => page.choose(choice));
}
