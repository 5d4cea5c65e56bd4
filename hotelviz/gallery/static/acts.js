// What is done with the selection, by buttons: for touch, and for who does not know the keys.

const TOLD = 8000; // milliseconds for which the bar stays to say what was done

/** Build the bar that floats over the page's foot while photos are selected. */
function buildActs(gallery) {
  const { root, editable } = gallery;
  const many = make("strong", {});
  const act = (name, key, onclick) => button({ onclick }, name, make("kbd", {}, key));
  const deciding = editable ? [
    act("keep", "k", () => decide(gallery, "keep")),
    act("drop", "x", () => decide(gallery, "drop")),
    act("later", "l", () => decide(gallery, LATER)),
    relabelControl(gallery),
  ] : [];
  const acts = make(
    "span", { class: "acts" }, ...deciding,
    act("compare", "c", () => compare(gallery)),
    act("save", "s", () => save(gallery)),
    act("group", "a", () => selectGroup(gallery)),
    act("clear", "Esc", () => clearSelection(gallery)),
  );
  const back = act("undo", "u", () => undo(gallery));
  const attributes = { class: "selection", popover: "manual", role: "group", "aria-label": "Selection" };
  const bar = make("div", attributes, many, acts, back);
  root.append(bar);
  gallery.bar = bar;
  let timer = 0;
  const update = ({ type }) => {
    const { selected, said } = gallery;
    const chosen = selected.size > 0;
    if (chosen && type === "selection") gallery.toldUndo = false;
    const told = gallery.toldUndo && !chosen;
    clearTimeout(timer);
    if (told) timer = setTimeout(() => bar.isConnected && bar.hidePopover(), TOLD);
    const also = type === "said" && said.textContent ? `: ${said.textContent}` : "";
    many.textContent = chosen ? `${number(selected.size)} selected${also}` : said.textContent;
    acts.hidden = !chosen;
    back.hidden = !told;
    if (bar.isConnected) bar.togglePopover(chosen || told);
  };
  gallery.events.addEventListener("selection", update);
  gallery.events.addEventListener("said", update);
}

/** A control that relabels to any class, also to those that have no key. */
function relabelControl(gallery) {
  const options = gallery.table.labels.map((name) => [name, words(name)]);
  const onchange = ({ target }) => {
    const label = target.value;
    target.value = "";
    if (label) decide(gallery, "relabel", label);
  };
  const attributes = { "aria-label": "Relabel as", onchange };
  return picker(attributes, [["", "relabel as …"], ...options]);
}
