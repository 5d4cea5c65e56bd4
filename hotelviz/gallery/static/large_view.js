// One photo, large, with all that is known of it.

function buildLargeView(gallery) {
  const { root, table, editable } = gallery;
  const opacity = make("input", {
    type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity of the overlay",
    oninput: () => {
      gallery.opacity = Number(opacity.value);
      refresh(gallery);
    },
  });
  opacity.value = gallery.opacity;
  const picture = make("div", { class: "picture" });
  const about = make("div", { class: "about" });
  const place = make("span", { class: "place" });
  const progress = make("span", { class: "quiet" });
  const overlay = make("span", {}, "photo");
  const next = { "aria-label": "What the photo shows", onclick: () => nextOverlay(gallery) };
  const onclose = () => {
    picture.replaceChildren();
    draw(gallery);
    gallery.large.back(gallery);
  };
  const walk = (by) => {
    step(gallery, by);
    show(gallery);
  };
  const dialog = make(
    "dialog", { class: "large", "aria-label": "Large view", onclose },
    make("div", { class: "top" },
      button({ "aria-label": "Previous photo", onclick: () => walk(-1) }, "←"), place,
      button({ "aria-label": "Next photo", onclick: () => walk(1) }, "→"),
      progress,
      table.maps_size ? button(next, overlay, make("kbd", {}, "o")) : null,
      table.maps_size ? make("label", { class: "opacity" }, "opacity ", opacity) : null,
      table.byName.has("hotel_id")
        ? button({ onclick: () => showHotel(gallery) }, "other photos of this hotel",
          make("kbd", {}, "h"))
        : null,
      table.neighbours
        ? button({ onclick: () => showAlike(gallery) }, "more like this", make("kbd", {}, "m"))
        : null,
      button({ class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
    make("div", { class: "body" }, picture,
      make("div", { class: "side" }, about, ...(editable ? decisionButtons(gallery) : []))),
  );
  gallery.large = { dialog, picture, about, opacity, overlay, place, progress, row: -1 };
  root.append(dialog);
}

function decisionButtons(gallery) {
  const act = (name, key, onclick) => button({ onclick }, name, make("kbd", {}, key));
  return [
    make("div", { class: "acts" },
      act("keep", "k", () => decide(gallery, "keep")),
      act("drop", "x", () => decide(gallery, "drop")),
      act("later", "l", () => decide(gallery, LATER)),
      act("undo", "u", () => undo(gallery))),
    make("div", { class: "acts relabels", role: "group", "aria-label": "Relabel as" },
      ...gallery.classes.map((name, i) => act(words(name), i + 1, () => relabel(gallery, i + 1)))),
  ];
}

/** Open the large view; `back` takes the focus when it is closed. */
function enlarge(gallery, back = focusCard) {
  const { dialog } = gallery.large;
  if (!gallery.order.length) return;
  gallery.large.back = back;
  if (!dialog.open) {
    // Or closing would give the focus, and with it the place, back to where it was opened.
    document.activeElement?.blur();
    dialog.showModal();
  }
  gallery.large.row = -1;
  show(gallery);
}

/** Show the photo at the cursor: the small one at once, the large one when it is there. */
function show(gallery) {
  const { large, source } = gallery;
  const row = gallery.order[gallery.cursor];
  if (row === large.row) return;
  large.row = row;
  const small = source.photo(row);
  const fill = (photo) => {
    if (large.row !== row) return;
    const failed = photo.error !== undefined;
    const content = failed
      ? make("p", { class: "error" }, photo.error)
      : make("img", { src: photo.url, alt: captionOf(gallery, row) });
    large.picture.replaceChildren(content);
    showMap(gallery, large.picture, row, { ...small, ...photo });
    cutPatches(gallery);
  };
  large.picture.replaceChildren();
  if (small) fill(small);
  source.large(row).then(fill);
  describe(gallery);
}

/** Bring what is said beside the photo up to date. */
function describe(gallery) {
  const { table, source, order, cursor } = gallery;
  const { row, place, progress, picture, about } = gallery.large;
  if (row < 0) return;
  progress.textContent = gallery.progress.textContent;
  place.textContent = `${number(cursor + 1)} of ${number(order.length)}`;
  showMap(gallery, picture, row, source.photo(row));
  about.replaceChildren(
    make("p", { class: "caption" }, captionOf(gallery, row)),
    ...probabilityTable(table, row),
    ...scoreBars(table, row),
    ...conceptBars(gallery, row),
    definitions(factsOf(gallery, row)),
  );
  cutPatches(gallery);
}

function factsOf({ table, decisions }, row) {
  const facts = [["photo", table.ids[row]]];
  for (const { name, title, kind, data } of table.columns) {
    if (kind === "category") {
      const value = table.text(name, row);
      if (value !== null) facts.push([title, words(value)]);
    } else if (!Number.isNaN(data[row])) {
      facts.push([title, Number.isInteger(data[row]) ? number(data[row]) : data[row].toFixed(3)]);
    }
  }
  const decision = decisions.of(table.ids[row]);
  if (decision) {
    const { action, label } = decision;
    const decided = ACTIONS[action] ?? action;
    facts.push(["decision", action === "relabel" ? `${decided} as ${words(label)}` : decided]);
  }
  return facts;
}
