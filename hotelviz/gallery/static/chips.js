// Filters without a control of their own: the selected photos, those like another, entries of the map's
// legend. `gallery.extras` has them by name: text, test of rows, and perhaps rows in their order, or the
// filters before it. Each is a chip, which leaves it.

function buildChips(gallery) {
  const attributes = { class: "chips", role: "group", "aria-label": "Also filtered" };
  const chips = make("div", attributes);
  const update = () => {
    const one = ([name, { text }]) =>
      button({ "aria-label": `Leave: ${text}`, onclick: () => leaveExtra(gallery, name) },
        text, make("span", { "aria-hidden": "true" }, " ✕"));
    chips.replaceChildren(...Array.from(gallery.extras, one));
    chips.hidden = !gallery.extras.size;
  };
  gallery.events.addEventListener("shown", update);
  return chips;
}

function leaveExtra(gallery, name) {
  const { before } = gallery.extras.get(name);
  gallery.extras.delete(name);
  if (before) restoreFilters(gallery, before);
  else {
    choose(gallery);
    focusCard(gallery);
  }
}

/** Show these rows only. */
function showOnly(gallery, name, rows, extra) {
  const here = new Uint8Array(gallery.table.size);
  for (const row of rows) here[row] = 1;
  gallery.extras.set(name, { ...extra, rows, test: (row) => here[row] === 1 });
  choose(gallery);
}

function showSelected(gallery) {
  const rows = selectedRows(gallery);
  if (!rows.length) say(gallery, "Nothing is selected.");
  else showOnly(gallery, "selected", rows, { text: `only ${counted(rows.length, "selected photo")}` });
}

/** Show the photo at the cursor and those that are most like it; once more: what was shown before. */
function showAlike(gallery) {
  const { table, extras, order, cursor, large } = gallery;
  const { neighbours, size } = table;
  const row = order[cursor];
  const shown = extras.get("alike");
  if (!neighbours) say(gallery, "Nothing is known here of photos that are like others.");
  else if (row === undefined) return;
  else if (shown?.rows[0] === row) {
    leaveExtra(gallery, "alike");
    if (large.dialog.open) show(gallery);
  }
  else {
    const many = neighbours.length / size;
    const alike = neighbours.subarray(row * many, (row + 1) * many).filter((one) => one >= 0);
    const before = shown?.before ?? noteFilters(gallery);
    emptyFilters(gallery);
    const text = `${counted(alike.length, "photo")} like ${table.ids[row]}`;
    showOnly(gallery, "alike", [row, ...alike], { text, before });
    gallery.view.scrollTop = 0;
    say(gallery, `${text}, the most alike first; m leads back.`);
    if (large.dialog.open) large.dialog.close();
    moveTo(gallery, 0);
  }
}
