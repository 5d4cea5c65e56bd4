// What stands above the photos: search, filters, sorting, tools.

/** Build everything but the dialogs; in the order in which it is read. */
function buildFrame(gallery) {
  const { root, table } = gallery;
  gallery.status = make("p", { class: "status", role: "status" });
  gallery.said = make("p", { class: "said", role: "status" });
  gallery.count = make("p", { class: "count", role: "status" });
  gallery.progress = make("p", { class: "progress" });
  gallery.space = make("div", { class: "space" });
  const view = { class: "view", role: "group", "aria-label": "Photos", tabindex: "-1" };
  gallery.view = make("div", view, gallery.space);
  gallery.pair = make("div", { class: "pair" }, gallery.view);
  const tools = buildTools(gallery);
  const matrix = confusionMatrix(gallery);
  gallery.filters = buildFilters(gallery);
  const folded = [make("summary", {}, "Filters"), gallery.filters];
  gallery.fold = make("details", { class: "filters", open: true }, ...folded);
  // Dollar signs in names begin no formula.
  root.classList.add("hotelviz-gallery", "mathjax_ignore", "tex2jax_ignore");
  root.setAttribute("role", "region");
  const named = root.closest(".gallery[data-name]")?.dataset.name;
  root.setAttribute("aria-label", named ? `Photos: ${named}` : table.title || "Photo gallery");
  // JupyterLab leaves the keys to us in here.
  root.dataset.lmSuppressShortcuts = "true";
  root.replaceChildren(
    ...(table.title ? [make("h3", {}, table.title)] : []),
    ...(table.note ? [make("p", { class: "note" }, table.note)] : []),
    ...(table.matrix ? matrix : []),
    tools,
    gallery.fold,
    ...(table.matrix ? [] : matrix),
    ...legend(table),
    buildChips(gallery),
    make("div", { class: "told" }, gallery.count, gallery.progress, gallery.status, gallery.said),
    make("p", { class: "printed" }, "The photos in view are printed."),
    gallery.pair,
  );
}

function buildTools(gallery) {
  const { table, live, editable } = gallery;
  gallery.search = make("input", {
    type: "search", placeholder: "search", "aria-label": "Search names, labels and captions",
    oninput: () => chooseSoon(gallery),
  });
  gallery.reviewer = reviewerField(gallery.table.decisions.reviewer);
  gallery.selectButton = button({
    "aria-pressed": "false", title: "Clicks and taps select",
    onclick: () => setSelecting(gallery, !gallery.selecting),
  }, "select");
  const exporting = { class: "export", onclick: () => exportDecisions(gallery) };
  return make(
    "div", { class: "bar", role: "group", "aria-label": "Search, sort and tools" },
    gallery.search,
    sortControl(gallery),
    overlayControl(gallery),
    button({ onclick: () => clearFilters(gallery) }, "clear filters"),
    gallery.selectButton,
    editable ? button({ onclick: () => undo(gallery) }, "undo") : null,
    button({ onclick: () => save(gallery) }, live ? "save as catalogue" : "save as CSV"),
    live ? null : button(exporting, "export decisions"),
    editable ? gallery.reviewer : null,
    button({ "aria-label": "Help: the keys", onclick: () => gallery.help.showModal() }, "?"),
  );
}

function reviewerField(name) {
  const key = "hotelviz-reviewer";
  const field = make("input", {
    type: "text", class: "reviewer", placeholder: "your name",
    "aria-label": "Your name, for the decisions",
    onchange: () => store(key, field.value),
  });
  field.value = name || String(stored(key) || "");
  return field;
}

/** Make a control whose options are pairs of a value and what is shown. */
function picker(attributes, options) {
  const option = ([value, text]) => make("option", { value }, text);
  return make("select", attributes, ...options.map(option));
}

function sortControl(gallery) {
  const options = gallery.table.columns.flatMap(({ name, title, kind, filter }) => {
    if (kind === "category") return filter ? [[`+${name}`, title]] : [];
    return [[`-${name}`, `${title}, highest first`], [`+${name}`, `${title}, lowest first`]];
  });
  const onchange = (event) => {
    gallery.sort = event.target.value;
    arrange(gallery);
  };
  const sort = { class: "sort", "aria-label": "Sort by", onchange };
  return picker(sort, [["", "as given"], ...options]);
}

function buildFilters(gallery) {
  const { selects, table, editable } = gallery;
  const columns = table.columns.filter((column) => column.filter);
  const actions = [["", "any decision"], ["open", "undecided"], ...Object.entries(ACTIONS)];
  const onchange = () => choose(gallery);
  const of = (kind) => columns.filter((column) => column.kind === kind);
  const categories = of("category").map((column) => categoryFilter(gallery, column));
  const decision = editable ? picker({ "aria-label": "Decision", onchange }, actions) : null;
  if (decision) selects.set(DECISION, decision);
  const numbers = of("number").map((column) => rangeFilter(gallery, column));
  const bar = { class: "bar", role: "group", "aria-label": "Filters" };
  return make("div", bar, ...categories, decision, ...numbers);
}

function categoryFilter(gallery, { name, title, values, codes }) {
  const onchange = () => choose(gallery);
  // Thousands of hotels are typed, not picked.
  if (values.length > 200) {
    const id = `hotelviz-${Math.random().toString(36).slice(2)}`;
    const options = values.slice(0, 500).map((value) => make("option", { value }));
    const list = make("datalist", { id }, ...options);
    const input = make("input", {
      type: "text", list: id, placeholder: title, "aria-label": title, onchange,
    });
    gallery.selects.set(name, input);
    return make("span", {}, input, list);
  }
  const counts = new Int32Array(values.length);
  for (const code of codes) if (code >= 0) counts[code] += 1;
  const options = values.map((value, code) => [value, `${words(value)} (${number(counts[code])})`]);
  const control = picker({ "aria-label": title, onchange }, [["", `any ${title}`], ...options]);
  gallery.selects.set(name, control);
  return control;
}

function rangeFilter(gallery, { name, title }) {
  const limit = (side, placeholder) =>
    make("input", {
      type: "number", step: "any", placeholder, "aria-label": `${title}, ${side}`,
      oninput: ({ target }) => {
        const value = target.value === "" ? null : Number(target.value);
        gallery.ranges[name] = { ...gallery.ranges[name], [side]: value };
        chooseSoon(gallery);
      },
    });
  const range = { class: "range", role: "group", "aria-label": title };
  const [least, most] = [limit("at least", "from"), limit("at most", "to")];
  return make("span", range, `${title} `, least, " – ", most);
}

/** What colours and bars mean. */
function legend({ ramp, distributions, bars }) {
  const parts = [];
  if (ramp) {
    const colour = (place) => `rgb(${ramp.subarray(3 * place, 3 * place + 3).join(",")})`;
    const colours = Array.from({ length: 9 }, (_, step) => colour(Math.round((255 * step) / 8)));
    const scale = make("span", { class: "ramp" });
    scale.style.background = `linear-gradient(to right, ${colours.join(",")})`;
    parts.push(make("span", {}, "evidence: low ", scale, " high"));
  }
  if (distributions.length) {
    const key = ({ name, tone }) => [" ", make("span", { class: `key ${tone}` }), ` ${name}`];
    const keys = distributions.flatMap(key);
    parts.push(make("span", {}, `bars: ${bars}`, ...keys));
  }
  return parts.length ? [make("p", { class: "legend" }, ...parts)] : [];
}
