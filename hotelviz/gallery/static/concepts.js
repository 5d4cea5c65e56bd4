// The concepts of a photo in the large view: bars with patches of the photo; a click shows others with it.

/** What the photo is made of, what adds or takes most first. */
function conceptBars(gallery, row) {
  const { concepts } = gallery.table;
  if (!concepts) return [];
  const { names, adds } = concepts;
  const own = names
    .map((name, i) => ({ name, i, value: adds[row * names.length + i] }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  if (!own.length) return [];
  const most = Math.abs(own[0].value) || 1;
  const lines = own.map(({ name, i, value }) => {
    const patch = make("canvas", { class: "patch", width: 56, height: 56, "aria-hidden": "true" });
    patch.concept = i;
    const line = make("span", { class: value < 0 ? "line against" : "line" });
    line.style.width = `${(100 * Math.abs(value)) / most}%`;
    const others = { "aria-label": `Photos with ${name}`, onclick: () => showConcept(gallery, i) };
    return make("li", {}, patch, button(others, name), make("span", { class: "bar" }, line),
      make("span", { class: "adds" }, `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`));
  });
  return [make("p", { class: "quiet" }, "Concepts, and what each adds"),
    make("ul", { class: "concepts" }, ...lines)];
}

/** Cut the patches out of the photo, once it is there. */
function cutPatches({ table, large }) {
  const { picture, about, row } = large;
  const image = picture.querySelector("img");
  if (!table.concepts || !image) return;
  if (!image.naturalWidth) {
    image.addEventListener("load", () => cutPatches({ table, large }), { once: true });
    return;
  }
  const many = table.concepts.names.length;
  const { naturalWidth: width, naturalHeight: height } = image;
  for (const patch of about.querySelectorAll(".patch")) {
    const [x, y, side] = table.concepts.places.subarray(3 * (row * many + patch.concept));
    const [wide, high] = [side * width, side * height];
    // A patch lies within the photo, whatever the cell looks at.
    const left = Math.min(Math.max(0, x * width - wide / 2), width - wide);
    const top = Math.min(Math.max(0, y * height - high / 2), height - high);
    patch.getContext("2d").drawImage(image, left, top, wide, high, 0, 0, 56, 56);
  }
}

/** Show the photos that have a concept, those to which it adds most first. */
function showConcept(gallery, i) {
  const { table, extras, large } = gallery;
  const { names, adds } = table.concepts;
  const value = (row) => adds[row * names.length + i];
  const rows = [...Array(table.size).keys()]
    .filter((row) => !Number.isNaN(value(row)))
    .sort((a, b) => value(b) - value(a));
  const before = extras.get("concept")?.before ?? noteFilters(gallery);
  emptyFilters(gallery);
  const text = `${counted(rows.length, "photo")} with ${names[i]}`;
  showOnly(gallery, "concept", rows, { text, before });
  gallery.view.scrollTop = 0;
  say(gallery, `${text}, what it adds most to first.`);
  if (large.dialog.open) large.dialog.close();
  moveTo(gallery, 0);
}
