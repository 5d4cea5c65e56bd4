// The photo gallery: one script for the live widget (an anywidget module) and for pages on disk.
//
// `mount` draws a gallery into an element. What it shows is the `content` that
// hotelviz/gallery/content.py makes; where photos and decisions come from is a `source`:
// `pageSource` (everything is in the page, decisions in local storage) or `liveSource` (the kernel).

const ACTIONS = { keep: "kept", drop: "dropped", relabel: "relabelled" };
const THUMBNAILS = 600; // kept in memory at once, live
const ASKED = 24; // photos asked for at once, live
const GAP = 12;
const DECISION = Symbol("decision"); // no column is called so

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

/** Make an element; text is always set as text, never as markup. */
function make(tag, attributes = {}, ...children) {
  const space = ["svg", "rect", "line", "title"].includes(tag) && "http://www.w3.org/2000/svg";
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Bytes of a buffer: base64 in a page, a view of a message's buffer in JupyterLab. */
function bytes(buffer) {
  if (typeof buffer === "string") return Uint8Array.from(atob(buffer), (c) => c.charCodeAt(0));
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice();
}

const floats = (buffer) => new Float32Array(bytes(buffer).buffer);
/** A name as people read it; what is written from the right would turn the figures around it. */
function words(name) {
  const text = String(name).replaceAll("_", " ");
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(text) ? `\u2068${text}\u2069` : text;
}
const number = (value) => value.toLocaleString("en");

let latest = 0;
/** The time, in steps: no two decisions of a page have the same, and none is before one it saw. */
function now() {
  latest = Math.max(Date.now(), latest + 1);
  return new Date(latest).toISOString().replace("Z", "+00:00");
}

// ---------------------------------------------------------------------------------- the content

/** The table that is shown: categories as codes, numbers as floats, everything by row. */
class Table {
  constructor(content) {
    Object.assign(this, content);
    this.columns = content.columns.map((column) =>
      column.kind === "category"
        ? { ...column, codes: new Int32Array(bytes(column.codes).buffer) }
        : { ...column, data: floats(column.data) },
    );
    this.byName = new Map(this.columns.map((column) => [column.name, column]));
    this.shares = content.probabilities && floats(content.probabilities);
    this.distributions = content.distributions.map((one) => ({ ...one, shares: floats(one.shares) }));
    this.maps = content.maps && content.maps.data && bytes(content.maps.data);
    this.ramp = content.ramp && bytes(content.ramp);
    this.rowOf = new Map(content.ids.map((id, row) => [id, row]));
  }

  text(name, row) {
    const column = this.byName.get(name);
    return column && column.codes[row] >= 0 ? column.values[column.codes[row]] : null;
  }

  /** What is searched: the image's name, its hotel, its caption and every category. */
  searched() {
    if (!this._searched) {
      this._searched = this.ids.map((id, row) =>
        (this.captions ? `${id}\n${this.captions[row]}` : id).toLowerCase(),
      );
    }
    return this._searched;
  }

  find(text) {
    const wanted = text.toLowerCase();
    const names = this.searched();
    const lists = this.columns
      .filter((column) => column.kind === "category")
      .map((column) => ({
        codes: column.codes,
        hits: column.values.map((value) => words(value).toLowerCase().includes(wanted) || value.toLowerCase().includes(wanted)),
      }))
      .filter((list) => list.hits.includes(true));
    return (row) => names[row].includes(wanted) || lists.some((list) => list.hits[list.codes[row]]);
  }
}

// ------------------------------------------------------------------- where decisions are kept

/** Decisions: of a photo the last one counts, and undoing is one more line. */
class Decisions {
  constructor() {
    this.past = new Map(); // name of a photo -> its decisions that were not undone
    this.mine = []; // the photos of this page's decisions that were not undone, in their order
    this.listeners = new Set();
  }

  of(id) {
    return this.past.get(id)?.at(-1);
  }

  /** Read lines as the audit does: an undone decision does not count. */
  take(lines, mine) {
    for (const line of lines) {
      this.count(line, mine);
      latest = Math.max(latest, Date.parse(line.time) || 0);
    }
    this.changed();
  }

  count(line, mine) {
    const past = this.past.get(line.image_id) || [];
    const undone = line.reason === "undo";
    if (undone) past.pop();
    else past.push(line);
    this.past.set(line.image_id, past);
    if (!mine) return;
    if (!undone) this.mine.push(line.image_id);
    else if (this.mine.includes(line.image_id)) this.mine.splice(this.mine.lastIndexOf(line.image_id), 1);
  }

  /** How many photos have a decision that stands. */
  standing() {
    return [...this.past.values()].filter((past) => past.length).length;
  }

  decide(id, action, label, reviewer) {
    this.add({ image_id: id, action, label: label || "", reason: "gallery", reviewer, time: now() });
  }

  /** Undo this page's last decision that stands, or else the given photo's; give the photo. */
  undo(reviewer, current) {
    const id = this.mine.findLast((one) => this.of(one)) ?? current;
    if (!this.of(id)) return null;
    const { action, label } = this.past.get(id).at(-2) || { action: "keep", label: "" };
    this.add({ image_id: id, action, label, reason: "undo", reviewer, time: now() });
    return id;
  }

  add(line) {
    this.count(line, true);
    this.keep(line);
    this.changed();
  }

  changed() {
    for (const listener of this.listeners) listener();
  }
}

function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) || [];
  } catch {
    return [];
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return "";
  } catch (error) {
    return `This browser keeps nothing for this page (${error.name}): export before closing it.`;
  }
}

/** Decisions of a page on disk: in local storage, exported as the audit's CSV. */
class PageDecisions extends Decisions {
  constructor() {
    super();
    this.key = `hotelviz-decisions:${location.pathname}`;
    this.lines = stored(this.key);
    this.take(this.lines, true);
  }

  keep(entry) {
    // Another tab of the same page may have written meanwhile.
    this.lines = [...stored(this.key), entry];
    this.problem = store(this.key, this.lines);
  }

  status() {
    const count = this.standing();
    const told = this.lines.length ? `${number(count)} decision${count === 1 ? "" : "s"} in this browser; export for hotelviz clean` : "";
    return { text: this.problem || told, bad: Boolean(this.problem) };
  }

  csv() {
    const names = ["image_id", "action", "label", "reason", "reviewer", "time"];
    // What people wrote is one line; names of photos and classes stay as they are.
    const one = (text) => text.split(/\r\n|[\n\r\u2028\u2029]/).join(" ");
    const field = (name, value) => {
      const text = ["reason", "reviewer"].includes(name) ? one(String(value ?? "")) : String(value ?? "");
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = stored(this.key).map((line) => names.map((name) => field(name, line[name])).join(","));
    return [names.join(","), ...lines, ""].join("\n");
  }
}

/** Decisions of a live gallery: sent to the kernel, kept in the browser until it says "written". */
class LiveDecisions extends Decisions {
  constructor(model, where, photos) {
    super();
    this.model = model;
    this.where = where;
    this.key = `hotelviz-pending:${where}:${photos}`;
    this.waiting = stored(this.key);
    this.problem = "";
    this.written = 0;
  }

  start(entries) {
    // What was written although its answer got lost is not counted twice.
    const there = new Set(entries.map((entry) => entry.time + entry.image_id));
    this.take(entries);
    this.take(this.waiting.filter((entry) => !there.has(entry.time + entry.image_id)), true);
    this.send();
  }

  keep(entry) {
    this.waiting.push(entry);
    store(this.key, this.waiting);
    this.send();
  }

  /** Send what waits, one message at a time; what gets no answer is sent again. */
  send() {
    if (this.sent || !this.waiting.length) return;
    this.sent = true;
    this.model.send({ type: "decide", entries: this.waiting });
    this.timer = setTimeout(() => {
      this.problem = "the kernel does not answer; kept here: run the cell again";
      this.again();
    }, 4000);
  }

  again() {
    this.sent = false;
    this.changed();
    this.send();
  }

  answered(message) {
    clearTimeout(this.timer);
    this.problem = message.problem || "";
    if (this.problem) {
      this.changed();
      this.timer = setTimeout(() => this.again(), 3000);
      return;
    }
    const done = new Set(message.times);
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((entry) => !done.has(entry.time + entry.image_id));
    this.written += before - this.waiting.length;
    store(this.key, this.waiting);
    this.again();
  }

  status() {
    const count = this.waiting.length;
    if (this.problem) return { text: `${number(count)} not written yet: ${this.problem}`, bad: true };
    if (count) return { text: `writing ${number(count)} …`, bad: false };
    return { text: this.written ? `${number(this.written)} written to ${this.where}` : "", bad: false };
  }
}

// ------------------------------------------------------------------------ where photos come from

let pageDecisions = null;

function pageSource(table) {
  const folder = document.querySelector('meta[name="hotelviz:files"]')?.content ?? "";
  const photo = (row) => {
    if (table.problems[row] !== undefined) return { problem: table.problems[row] };
    const embedded = table.photos && table.photos[row];
    const url = embedded ? `data:image/jpeg;base64,${embedded}` : `${folder}${table.folder}/${row}.jpg`;
    return { url, map: null };
  };
  pageDecisions ||= new PageDecisions();
  return {
    decisions: pageDecisions,
    photo,
    want() {},
    large: (row) => Promise.resolve(photo(row)),
    close() {},
  };
}

/** Photos are asked of the kernel as they come into view; what was seen last is kept, and no more. */
function liveSource(model, table, arrived) {
  const kept = new Map();
  const decisions = new LiveDecisions(model, table.decisions.where, `${table.size}:${table.ids[0]}`);
  const large = new Map();
  const unanswered = new Map();
  let wanted = [];

  /** Send a question again until it is answered: a kernel that just restarted loses messages. */
  function question(kind, message) {
    clearTimeout(unanswered.get(kind));
    model.send(message);
    unanswered.set(kind, setTimeout(() => question(kind, message), 1000));
  }

  function answered(kind) {
    clearTimeout(unanswered.get(kind));
    return unanswered.delete(kind);
  }

  function ask() {
    if (unanswered.has("photos")) return;
    const rows = wanted.filter((row) => !kept.has(row)).slice(0, ASKED);
    if (rows.length) question("photos", { type: "photos", rows });
  }

  function urlOf(data) {
    return URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
  }

  function keepPhotos(message, buffers) {
    message.photos.forEach((about, place) => {
      if (kept.has(about.row)) return;
      const [data, map] = [buffers[2 * place], buffers[2 * place + 1]];
      kept.set(about.row, {
        caption: about.caption,
        problem: about.problem || undefined,
        url: about.problem ? undefined : urlOf(data),
        map: map && map.byteLength ? bytes(map) : null,
      });
    });
    const needed = new Set(wanted);
    for (const [row, entry] of kept) {
      if (kept.size <= THUMBNAILS) break;
      if (needed.has(row)) continue;
      if (entry.url) URL.revokeObjectURL(entry.url);
      kept.delete(row);
    }
  }

  function heard(message, buffers) {
    if (message.type === "photos") {
      answered("photos");
      keepPhotos(message, buffers);
      arrived();
      ask();
    } else if (message.type === "large") {
      answered("large");
      large.get(message.row)?.(message.problem ? { problem: message.problem } : { url: urlOf(buffers[0]) });
      large.delete(message.row);
    } else if (message.type === "decisions" && answered("decisions")) {
      decisions.problem = message.problem || "";
      decisions.start(message.entries);
    } else if (message.type === "decided") decisions.answered(message);
  }

  model.on("msg:custom", heard);
  question("decisions", { type: "decisions" });
  return {
    decisions,
    photo: (row) => kept.get(row),
    want(rows) {
      wanted = rows;
      // Seen again: it moves to the young end.
      for (const row of rows) {
        const entry = kept.get(row);
        if (entry) kept.delete(row), kept.set(row, entry);
      }
      ask();
    },
    large(row) {
      return new Promise((resolve) => {
        large.set(row, resolve);
        question("large", { type: "large", row });
      });
    },
    close() {
      model.off("msg:custom", heard);
      for (const { url } of kept.values()) if (url) URL.revokeObjectURL(url);
      for (const timer of unanswered.values()) clearTimeout(timer);
      clearTimeout(decisions.timer);
    },
  };
}

// ------------------------------------------------------------------------------- the gallery

function mount(root, content, model) {
  const table = new Table(content);
  const live = Boolean(model);
  const state = { sort: "", overlay: Boolean(table.maps_size), opacity: 0.55, closed: new Set(), cursor: 0 };
  let found = new Int32Array();
  const ranges = {};
  const reviewerKey = "hotelviz-reviewer";
  let order = new Int32Array();
  let lines = [];
  let columnsShown = 1;
  let cardHeight = 1;
  const cards = new Map();
  const longest = (table.captions || []).reduce((most, text) => Math.max(most, text.length), 0);
  const source = live ? liveSource(model, table, refresh) : pageSource(table);
  const decisions = source.decisions;
  const editable = !live || Boolean(table.decisions.where);

  // ---- the frame
  // Dollar signs in names begin no formula.
  root.classList.add("hotelviz-gallery", "mathjax_ignore", "tex2jax_ignore");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", table.title || "Photo gallery");
  // JupyterLab leaves the keys to us in here.
  root.dataset.lmSuppressShortcuts = "true";
  const status = make("p", { class: "status", role: "status" });
  const count = make("p", { class: "count", role: "status" });
  const space = make("div", { class: "space" });
  const view = make("div", { class: "view", role: "group", "aria-label": "Photos", tabindex: "-1" }, space);
  const bar = make("div", { class: "bar", role: "group", "aria-label": "Search, sort and tools" });
  const chosen = make("div", { class: "bar", role: "group", "aria-label": "Filters" });
  const fold = make("details", { class: "filters", open: true }, make("summary", {}, "Filters"), chosen);
  const search = make("input", { type: "search", placeholder: "search", "aria-label": "Search names, labels and captions", oninput: () => later() });
  bar.append(search);

  const selects = new Map();
  for (const column of table.columns) {
    if (column.kind === "category" && column.filter) chosen.append(categoryFilter(column));
  }
  if (editable) {
    const control = make("select", { "aria-label": "Decision", onchange: () => choose() }, make("option", { value: "" }, "any decision"), make("option", { value: "open" }, "undecided"));
    for (const [action, name] of Object.entries(ACTIONS)) control.append(make("option", { value: action }, name));
    selects.set(DECISION, control);
    chosen.append(control);
  }
  for (const column of table.columns) {
    if (column.kind === "number" && column.filter) chosen.append(rangeFilter(column));
  }
  bar.append(sortControl());
  if (table.maps_size) {
    bar.append(make("button", { type: "button", class: "overlay", "aria-pressed": String(state.overlay), onclick: () => toggle() }, "overlay"));
  }
  bar.append(make("button", { type: "button", onclick: () => clear() }, "clear filters"));
  if (!live) bar.append(make("button", { type: "button", class: "export", onclick: () => exportCsv() }, "export decisions"));
  const reviewer = make("input", { type: "text", class: "reviewer", placeholder: "your name", "aria-label": "Your name, for the decisions", onchange: () => store(reviewerKey, reviewer.value) });
  reviewer.value = table.decisions.reviewer || String(stored(reviewerKey) || "");
  if (editable) bar.append(reviewer);
  bar.append(make("button", { type: "button", "aria-label": "Help: the keys", onclick: () => help() }, "?"));
  const heading = table.title ? [make("h3", {}, table.title)] : [];
  const note = table.note ? [make("p", { class: "note" }, table.note)] : [];
  root.replaceChildren(...heading, ...note, bar, fold, ...matrix(), ...legend(), make("div", { class: "told" }, count, status), view);

  function categoryFilter(column) {
    // Thousands of hotels are typed, not picked.
    if (column.values.length > 200) {
      const list = make("datalist", { id: `hotelviz-${Math.random().toString(36).slice(2)}` }, ...column.values.slice(0, 500).map((value) => make("option", { value })));
      const input = make("input", { type: "text", list: list.id, placeholder: column.title, "aria-label": column.title, onchange: () => choose() });
      selects.set(column.name, input);
      return make("span", {}, input, list);
    }
    const control = make("select", { "aria-label": column.title, onchange: () => choose() }, make("option", { value: "" }, `any ${column.title}`));
    const counts = new Int32Array(column.values.length);
    for (const code of column.codes) if (code >= 0) counts[code] += 1;
    column.values.forEach((value, code) => control.append(make("option", { value }, `${words(value)} (${number(counts[code])})`)));
    selects.set(column.name, control);
    return control;
  }

  function rangeFilter(column) {
    const limit = (side, text) =>
      make("input", {
        type: "number", step: "any", placeholder: text, "aria-label": `${column.title}, ${side}`,
        oninput: (event) => {
          const value = event.target.value;
          ranges[column.name] = { ...ranges[column.name], [side]: value === "" ? null : Number(value) };
          later();
        },
      });
    return make("span", { class: "range", role: "group", "aria-label": column.title }, `${column.title} `, limit("at least", "from"), " – ", limit("at most", "to"));
  }

  function sortControl() {
    const control = make("select", { class: "sort", "aria-label": "Sort by", onchange: () => { state.sort = control.value; arrange(); } }, make("option", { value: "" }, "as given"));
    for (const column of table.columns) {
      if (column.kind === "number") {
        control.append(make("option", { value: `-${column.name}` }, `${column.title}, highest first`), make("option", { value: `+${column.name}` }, `${column.title}, lowest first`));
      } else if (column.filter) control.append(make("option", { value: `+${column.name}` }, column.title));
    }
    return control;
  }

  function legend() {
    const parts = [];
    if (table.ramp) {
      const steps = Array.from({ length: 9 }, (_, step) => `rgb(${[0, 1, 2].map((c) => table.ramp[3 * Math.round((255 * step) / 8) + c]).join(",")})`);
      const ramp = make("span", { class: "ramp" });
      ramp.style.background = `linear-gradient(to right, ${steps.join(",")})`;
      parts.push(make("span", {}, "evidence: low ", ramp, " high"));
    }
    if (table.distributions.length) {
      parts.push(make("span", {}, "bars: shares of the scores 1 to 10", ...table.distributions.flatMap((one) => [" ", make("span", { class: `key ${one.tone}` }), ` ${one.name}`])));
    }
    return parts.length ? [make("p", { class: "legend" }, ...parts)] : [];
  }

  /** The confusion matrix of these photos; a cell opens its photos. */
  function matrix() {
    const [truth, said] = [table.byName.get("label"), table.byName.get("predicted")];
    if (!truth || !said) return [];
    const size = [truth.values.length, said.values.length];
    if (size[0] > 40 || size[1] > 40) return [];
    const counts = new Int32Array(size[0] * size[1]);
    const totals = new Int32Array(size[0]);
    for (let row = 0; row < table.size; row += 1) {
      if (truth.codes[row] < 0 || said.codes[row] < 0) continue;
      counts[truth.codes[row] * size[1] + said.codes[row]] += 1;
      totals[truth.codes[row]] += 1;
    }
    const head = make("tr", {}, make("th", { scope: "col" }, "true ↓ predicted →"), ...said.values.map((name) => make("th", { scope: "col" }, words(name))));
    const rows = truth.values.map((name, i) =>
      make("tr", {}, make("th", { scope: "row" }, words(name)), ...said.values.map((other, j) => {
        const many = counts[i * size[1] + j];
        if (!many) return make("td", {}, "·");
        const cell = make("button", { type: "button", "aria-label": `${words(name)} read as ${words(other)}: ${number(many)} photos`, onclick: () => only({ label: name, predicted: other }) }, number(many));
        cell.style.setProperty("--share", (many / totals[i]).toFixed(2));
        return make("td", { class: name === other ? "right" : "wrong" }, cell);
      })),
    );
    const scroll = make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Confusion matrix" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
    return [make("details", { class: "matrix" }, make("summary", {}, "Confusion matrix: a cell opens its photos"), scroll)];
  }

  // ---- filter, sort, arrange

  let timer = 0;
  function later() {
    clearTimeout(timer);
    timer = setTimeout(choose, 120);
  }

  function only(values) {
    clear(false);
    for (const [name, value] of Object.entries(values)) if (selects.has(name)) selects.get(name).value = value;
    choose();
    view.scrollTop = 0;
    focusCard();
  }

  function clear(again = true) {
    search.value = "";
    for (const control of selects.values()) control.value = "";
    for (const input of chosen.querySelectorAll(".range input")) input.value = "";
    for (const name of Object.keys(ranges)) delete ranges[name];
    if (again) choose();
  }

  function choose() {
    const tests = [];
    for (const [name, control] of selects) {
      const value = control.value;
      if (!value) continue;
      if (name === DECISION) {
        tests.push((row) => (decisions.of(table.ids[row])?.action ?? "open") === value);
      } else {
        const column = table.byName.get(name);
        const code = column.values.indexOf(value);
        tests.push((row) => code >= 0 && column.codes[row] === code);
      }
    }
    for (const [name, { "at least": low, "at most": high }] of Object.entries(ranges)) {
      const { data } = table.byName.get(name);
      if (low != null) tests.push((row) => data[row] >= low);
      if (high != null) tests.push((row) => data[row] <= high);
    }
    if (search.value.trim()) tests.push(table.find(search.value.trim()));
    // What was asked for is not to be folded away.
    if (tests.length) state.closed.clear();
    const rows = new Int32Array(table.size);
    let many = 0;
    for (let row = 0; row < table.size; row += 1) {
      if (tests.every((test) => test(row))) rows[many++] = row;
    }
    found = rows.subarray(0, many);
    arrange();
  }

  function arrange() {
    const at = order[state.cursor];
    order = found.slice();
    if (state.sort) {
      const column = table.byName.get(state.sort.slice(1));
      const sign = state.sort[0] === "-" ? -1 : 1;
      const rank = column.kind === "number" ? column.data : ranks(column);
      // What has no value stands last, either way.
      const value = (row) => (Number.isNaN(rank[row]) ? Infinity : sign * rank[row]);
      order.sort((a, b) => { const x = value(a), y = value(b); return x < y ? -1 : x > y ? 1 : a - b; });
    }
    state.cursor = Math.max(0, order.indexOf(at));
    layOut();
    const many = order.length;
    count.textContent = many === table.size ? `${number(many)} photo${many === 1 ? "" : "s"}` : `${number(many)} of ${number(table.size)} photos`;
    if (!table.size) count.textContent = "No photos here.";
  }

  function ranks(column) {
    const byText = column.values.map((_, code) => code).sort((a, b) => (column.values[a] < column.values[b] ? -1 : 1));
    const place = new Float32Array(column.values.length);
    byText.forEach((code, rank) => (place[code] = rank));
    return column.codes.length && Float32Array.from(column.codes, (code) => (code < 0 ? NaN : place[code]));
  }

  // ---- lay out: lines of cards, and headings of groups

  function layOut() {
    const width = view.clientWidth || root.clientWidth || 800;
    const least = width < 420 ? 140 : width > 1800 ? 230 : 190;
    columnsShown = Math.max(1, Math.floor((width - 4 + GAP) / (least + GAP)));
    const cardWidth = Math.floor((width - 4 - GAP * (columnsShown - 1)) / columnsShown);
    // As many lines as the longest caption needs; live, captions come later.
    const fitting = 0.85 * ((cardWidth - 16) / 6.6);
    const lineCount = table.captions ? Math.max(2, Math.min(7, Math.ceil(longest / fitting))) : 3;
    root.style.setProperty("--caption-lines", lineCount);
    const captionHeight = 12 + 18 * lineCount + (table.distributions.length ? 34 : 0);
    cardHeight = Math.round(cardWidth * 0.75) + captionHeight;
    root.style.setProperty("--card-width", `${cardWidth}px`);
    root.style.setProperty("--photo-height", `${Math.round(cardWidth * 0.75)}px`);
    root.style.setProperty("--card-height", `${cardHeight}px`);
    lines = [];
    let top = 2;
    const grouped = !state.sort && table.group && table.byName.get(table.group);
    const sections = grouped ? sectionsOf(grouped) : [{ name: null, start: 0, end: order.length }];
    for (const section of sections) {
      const { name, start, end } = section;
      if (name !== null) {
        lines.push({ top, height: 38, heading: section });
        top += 38 + 6;
        if (state.closed.has(name)) continue;
      }
      for (let first = start; first < end; first += columnsShown) {
        lines.push({ top, height: cardHeight, first, end: Math.min(end, first + columnsShown) });
        top += cardHeight + GAP;
      }
    }
    space.style.height = `${top}px`;
    for (const node of cards.values()) node.remove();
    cards.clear();
    draw();
  }

  function sectionsOf(column) {
    const sections = [];
    const byGroup = new Map();
    for (const row of order) {
      const code = column.codes[row];
      if (!byGroup.has(code)) byGroup.set(code, []);
      byGroup.get(code).push(row);
    }
    let place = 0;
    for (const [code, rows] of byGroup) {
      for (const row of rows) order[place++] = row;
      sections.push({ name: code < 0 ? "" : column.values[code], start: place - rows.length, end: place });
    }
    return sections;
  }

  const lineAt = (offset) => {
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lines[middle].top + lines[middle].height < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  /** Draw the lines in view and a few around them; take away the others. */
  function draw() {
    const [top, height] = [view.scrollTop, view.clientHeight];
    const wanted = new Map();
    const rows = [];
    for (let i = lineAt(top - cardHeight); i < lines.length && lines[i].top < top + height + cardHeight; i += 1) {
      const line = lines[i];
      if (line.heading) wanted.set(`h${line.heading.name}`, () => headingOf(line));
      else {
        for (let place = line.first; place < line.end; place += 1) {
          rows.push(order[place]);
          wanted.set(place, () => cardOf(place, line));
        }
      }
    }
    for (const [key, node] of cards) {
      if (!wanted.has(key) && !node.contains(document.activeElement)) { node.remove(); cards.delete(key); }
    }
    for (const [key, build] of wanted) {
      if (cards.has(key)) continue;
      const node = build();
      cards.set(key, node);
      space.append(node);
    }
    source.want(rows);
    refresh();
  }

  function headingOf({ top, heading }) {
    const closed = state.closed.has(heading.name);
    const button = make("button", { type: "button", "aria-expanded": String(!closed), onclick: () => {
      if (!state.closed.delete(heading.name)) state.closed.add(heading.name);
      layOut();
      cards.get(`h${heading.name}`)?.firstChild.focus();
    } }, make("span", { class: "arrow", "aria-hidden": "true" }, closed ? "▸" : "▾"), ` ${words(heading.name) || "without"} `, make("span", { class: "number" }, number(heading.end - heading.start)));
    const node = make("div", { class: "heading" }, button);
    node.style.transform = `translateY(${top}px)`;
    return node;
  }

  function cardOf(place, line) {
    const row = order[place];
    const button = make("button", { type: "button", class: "photo", tabindex: place === state.cursor ? "0" : "-1", onclick: () => { state.cursor = place; enlarge(); }, onfocus: () => moveTo(place, false) });
    const caption = make("figcaption", {}, make("span", { class: "text" }), ...bars(row));
    const node = make("figure", { "data-row": row }, button, make("span", { class: "badge" }), caption);
    const column = place - line.first;
    node.style.transform = `translate(calc(${column} * (var(--card-width) + ${GAP}px) + 2px), ${line.top}px)`;
    node.row = row;
    return node;
  }

  const captionOf = (row) => table.captions?.[row] ?? source.photo(row)?.caption ?? table.ids[row];

  /** Bring cards up to date: photo, overlay, caption, decision. */
  function refresh() {
    for (const [key, node] of cards) {
      if (node.row === undefined) continue;
      const row = node.row;
      const photo = source.photo(row);
      const caption = captionOf(row);
      const text = node.querySelector(".text");
      if (text.textContent !== caption) { text.textContent = caption; text.title = caption; }
      const button = node.firstChild;
      const decided = decisions.of(table.ids[row]);
      const said = decided ? (decided.action === "relabel" ? `→ ${words(decided.label)}` : ACTIONS[decided.action]) : "";
      button.setAttribute("aria-label", said ? `${caption}; ${said}` : caption);
      const badge = node.children[1];
      badge.textContent = said;
      badge.className = `badge ${decided ? decided.action : ""}`;
      node.classList.toggle("cursor", key === state.cursor);
      if (photo && !node.filled) {
        node.filled = true;
        if (photo.problem !== undefined) button.append(make("span", { class: "problem" }, photo.problem));
        else button.append(make("img", { src: photo.url, alt: caption, decoding: "async" }));
      }
      showMap(button, row, photo);
    }
    const { text, bad } = decisions.status();
    status.textContent = text;
    status.classList.toggle("bad", bad);
    if (dialog.open) describe();
  }

  function showMap(holder, row, photo) {
    let canvas = holder.querySelector("canvas");
    const values = state.overlay && photo && !photo.problem && mapOf(row, photo);
    holder.classList.toggle("laid", Boolean(values));
    const image = holder.querySelector("img");
    if (!values || !image) return canvas?.remove();
    if (!image.naturalWidth) {
      // The map takes the photo's proportions, which are not known yet.
      image.onload = () => showMap(holder, row, photo);
      return;
    }
    if (!canvas) {
      canvas = paint(values, image.naturalHeight / image.naturalWidth);
      holder.append(canvas);
    }
    canvas.style.opacity = state.opacity;
  }

  function mapOf(row, photo) {
    const [height, width] = table.maps_size;
    return table.maps ? table.maps.subarray(row * height * width, (row + 1) * height * width) : photo.map;
  }

  /** Draw a map in the proportions of its photo, stretched smoothly. */
  function paint(values, proportion) {
    const [height, width] = table.maps_size;
    const small = make("canvas", { width, height });
    const pixels = small.getContext("2d").createImageData(width, height);
    for (let i = 0; i < values.length; i += 1) {
      pixels.data.set(table.ramp.subarray(3 * values[i], 3 * values[i] + 3), 4 * i);
      pixels.data[4 * i + 3] = 255;
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    const canvas = make("canvas", { width: 240, height: Math.round(240 * proportion), "aria-hidden": "true" });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  /** Distributions over the scores as small bars, side by side. */
  function bars(row) {
    const sides = table.distributions
      .map(({ name, tone, shares }) => ({ name, tone, shares: shares.subarray(10 * row, 10 * row + 10) }))
      .filter(({ shares }) => !Number.isNaN(shares[0]));
    if (!sides.length) return [];
    const tallest = Math.max(...sides.flatMap(({ shares }) => [...shares])) || 1;
    const width = 8 / sides.length;
    const said = sides.map(({ name, shares }) => `${name} ${[...shares].map((share) => `${Math.round(100 * share)}%`).join(", ")}`).join("; ");
    const svg = make("svg", { class: "scores", viewBox: "0 0 100 29", preserveAspectRatio: "xMinYMid", role: "img", "aria-label": `shares of the scores 1 to 10: ${said}` });
    sides.forEach(({ tone, shares }, place) =>
      shares.forEach((share, score) => {
        const height = (26 * share) / tallest;
        svg.append(make("rect", { class: tone, x: score * 10 + 1 + place * width, y: 28 - height, width, height }));
      }),
    );
    svg.append(make("line", { x1: 0, y1: 28.5, x2: 100, y2: 28.5 }));
    return [svg];
  }

  // ---- walking

  function moveTo(place, focus = true) {
    if (!order.length) return;
    const before = cards.get(state.cursor);
    if (before?.row !== undefined) { before.firstChild.tabIndex = -1; before.classList.remove("cursor"); }
    state.cursor = Math.max(0, Math.min(order.length - 1, place));
    const line = lines.find((one) => one.first !== undefined && one.first <= state.cursor && state.cursor < one.end);
    if (line && focus) {
      if (line.top < view.scrollTop) view.scrollTop = line.top - 6;
      else if (line.top + line.height > view.scrollTop + view.clientHeight) view.scrollTop = line.top + line.height - view.clientHeight + 6;
      draw();
    }
    const node = cards.get(state.cursor);
    if (node?.row === undefined) return;
    node.firstChild.tabIndex = 0;
    node.classList.add("cursor");
    if (focus && !dialog.open) node.firstChild.focus({ preventScroll: true });
  }

  const focusCard = () => moveTo(state.cursor);

  /** The photo one line up or down, in the same column; headings and folded groups are passed over. */
  function vertical(step) {
    const photos = lines.filter((line) => line.first !== undefined);
    const at = photos.findIndex((line) => line.first <= state.cursor && state.cursor < line.end);
    const next = photos[Math.max(0, Math.min(photos.length - 1, at + step))];
    if (next) moveTo(Math.min(next.end - 1, next.first + (state.cursor - photos[at].first)));
  }

  function step(by) {
    const shown = (place) => lines.some((line) => line.first <= place && place < line.end);
    let place = state.cursor + by;
    while (place > 0 && place < order.length - 1 && !shown(place)) place += by;
    if (place >= 0 && place < order.length && shown(place)) moveTo(place);
  }

  // ---- deciding

  function decide(action, label) {
    if (!order.length) return;
    if (!editable) { status.textContent = "Give the gallery a decisions file to decide here: Gallery(..., decisions=\"decisions.csv\")."; return; }
    const id = table.ids[order[state.cursor]];
    const before = decisions.of(id);
    if (before && before.action === action && before.label === (label || "")) return;
    decisions.decide(id, action, label, reviewer.value.trim());
  }

  function undo() {
    const id = decisions.undo(reviewer.value.trim(), table.ids[order[state.cursor]]);
    if (id === null) { status.textContent = "Nothing to undo."; return; }
    const place = order.indexOf(table.rowOf.get(id));
    if (place >= 0) moveTo(place);
  }

  function toggle() {
    state.overlay = !state.overlay;
    bar.querySelector(".overlay")?.setAttribute("aria-pressed", String(state.overlay));
    refresh();
  }

  function exportCsv() {
    const url = URL.createObjectURL(new Blob([decisions.csv()], { type: "text/csv" }));
    const link = make("a", { href: url, download: "decisions.csv" });
    root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  // ---- the large view, and the help

  const picture = make("div", { class: "picture" });
  const about = make("div", { class: "about" });
  const opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity of the overlay", oninput: () => { state.opacity = Number(opacity.value); refresh(); } });
  opacity.value = state.opacity;
  const place = make("span", { class: "place" });
  const action = (name, key, act) => make("button", { type: "button", onclick: act }, name, make("kbd", {}, key));
  const acts = make("div", { class: "acts" },
    action("keep", "k", () => decide("keep")), action("drop", "x", () => decide("drop")), action("undo", "u", () => undo()));
  const relabels = make("div", { class: "acts relabels", role: "group", "aria-label": "Relabel as" },
    ...table.labels.slice(0, 9).map((name, i) => action(words(name), i + 1, () => decide("relabel", name))));
  const dialog = make("dialog", { class: "large", "aria-label": "Large view", onclose: () => { picture.replaceChildren(); draw(); focusCard(); } },
    make("div", { class: "top" },
      make("button", { type: "button", "aria-label": "Previous photo", onclick: () => walk(-1) }, "←"), place,
      make("button", { type: "button", "aria-label": "Next photo", onclick: () => walk(1) }, "→"),
      table.maps_size ? make("label", { class: "opacity" }, "overlay ", opacity) : null,
      make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
    make("div", { class: "body" }, picture, make("div", { class: "side" }, about, editable ? acts : null, editable ? relabels : null)));
  const keys = make("dialog", { class: "keys", "aria-label": "Keys" }, make("h3", {}, "Keys"),
    make("dl", {}, ...KEYS.flatMap(([key, says]) => [make("dt", {}, key), make("dd", {}, says)])),
    make("p", {}, table.labels.slice(0, 9).map((name, i) => `${i + 1} ${words(name)}`).join(", ")),
    make("button", { type: "button", onclick: () => keys.close() }, "close"));
  root.append(dialog, keys);

  function help() {
    keys.showModal();
  }

  let shown = -1;
  function enlarge() {
    if (!order.length) return;
    if (!dialog.open) {
      // Or closing would give the focus, and with it the place, back to where it was opened.
      document.activeElement?.blur();
      dialog.showModal();
    }
    shown = -1;
    show();
  }

  function walk(by) {
    step(by);
    show();
  }

  function show() {
    const row = order[state.cursor];
    if (row === shown) return;
    shown = row;
    const caption = captionOf(row);
    const small = source.photo(row);
    const fill = (photo) => {
      if (shown !== row) return;
      if (photo.problem !== undefined) picture.replaceChildren(make("p", { class: "problem" }, photo.problem));
      else picture.replaceChildren(make("img", { src: photo.url, alt: caption }));
      showMap(picture, row, { ...small, ...photo });
    };
    picture.replaceChildren();
    if (small) fill(small);
    source.large(row).then(fill);
    describe();
  }

  function describe() {
    if (shown < 0) return;
    const row = shown;
    place.textContent = `${number(state.cursor + 1)} of ${number(order.length)}`;
    showMap(picture, row, source.photo(row));
    const decided = decisions.of(table.ids[row]);
    const facts = [["photo", table.ids[row]]];
    for (const column of table.columns) {
      const value = column.kind === "category" ? table.text(column.name, row) : column.data[row];
      if (value === null || Number.isNaN(value)) continue;
      facts.push([column.title, column.kind === "category" ? words(value) : Number.isInteger(value) ? number(value) : value.toFixed(3)]);
    }
    if (decided) facts.push(["decision", decided.action === "relabel" ? `relabelled as ${words(decided.label)}` : ACTIONS[decided.action]]);
    about.replaceChildren(
      make("p", { class: "caption" }, captionOf(row)),
      ...probabilities(row), ...bars(row),
      make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
  }

  function probabilities(row) {
    if (!table.shares) return [];
    const many = table.classes.length;
    const shares = [...table.shares.subarray(row * many, (row + 1) * many)].map((share, i) => [share, table.classes[i]]);
    if (Number.isNaN(shares[0][0])) return [];
    const best = shares.sort((a, b) => b[0] - a[0]).slice(0, 8);
    return [make("table", { class: "shares" }, make("caption", {}, "Probabilities"), make("tbody", {}, ...best.map(([share, name]) => {
      const line = make("span", { class: "line" });
      line.style.width = `${(100 * share).toFixed(1)}%`;
      return make("tr", { class: name === table.text("label", row) ? "truth" : "" }, make("th", { scope: "row" }, words(name)), make("td", {}, line), make("td", {}, share.toFixed(2)));
    })))];
  }

  // ---- keys

  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (typing && !(typing === opacity && !event.key.startsWith("Arrow"))) {
      if (event.key === "Escape") focusCard();
      return;
    }
    if (keys.open) return;
    const onCard = dialog.open || event.target.closest("figure") || event.target === view;
    const walks = {
      ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => vertical(1), ArrowUp: () => vertical(-1),
      Home: () => moveTo(0), End: () => moveTo(order.length - 1),
      PageDown: () => vertical(Math.max(1, Math.floor(view.clientHeight / (cardHeight + GAP)))),
      PageUp: () => vertical(-Math.max(1, Math.floor(view.clientHeight / (cardHeight + GAP)))),
    };
    const others = {
      o: () => toggle(), u: () => undo(), "?": () => help(),
      "/": () => { if (!dialog.open) search.focus(); },
    };
    // Only where a photo has the focus is it clear which one is meant.
    const decides = { x: () => decide("drop"), k: () => decide("keep") };
    let act = others[event.key] || (onCard && (walks[event.key] || decides[event.key]));
    if (event.key === "Enter" && onCard && !(dialog.open && event.target.closest(".large button:not(.photo)"))) act = () => (dialog.open ? dialog.close() : enlarge());
    if (/^[1-9]$/.test(event.key) && onCard) {
      const label = table.labels[Number(event.key) - 1];
      act = label === undefined ? () => (status.textContent = `There is no class ${event.key}.`) : () => decide("relabel", label);
    }
    if (!act) return;
    event.preventDefault();
    act();
    if (dialog.open && walks[event.key]) show();
  });

  // ---- theme, size, life

  const dark = matchMedia("(prefers-color-scheme: dark)");
  function theme() {
    const lab = document.body.dataset.jpThemeLight;
    root.dataset.theme = (lab ? lab === "false" : dark.matches) ? "dark" : "light";
  }
  theme();
  dark.addEventListener("change", theme);
  const themes = new MutationObserver(theme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });

  let frame = 0;
  view.addEventListener("scroll", () => {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); });
  }, { passive: true });
  if (root.clientWidth && root.clientWidth < 700) fold.open = false;
  let lastWidth = 0;
  const sizes = new ResizeObserver(() => {
    // Only higher: there is room for more lines.
    if (view.clientWidth === lastWidth) return draw();
    lastWidth = view.clientWidth;
    layOut();
    // A photo that was in view stays in view.
    if (cards.size && view.contains(document.activeElement)) focusCard();
  });
  sizes.observe(view);
  decisions.listeners.add(refresh);

  const grouped = table.group && table.byName.get(table.group);
  if (grouped) grouped.values.slice(table.open_groups).forEach((name) => state.closed.add(name));
  choose();
  return () => {
    sizes.disconnect();
    themes.disconnect();
    dark.removeEventListener("change", theme);
    decisions.listeners.delete(refresh);
    source.close();
  };
}

function render({ model, el }) {
  const root = make("section");
  el.append(root);
  return mount(root, model.get("content"), model);
}

// A page on disk: each gallery's content stands beside its element.
if (typeof document !== "undefined") {
  for (const root of document.querySelectorAll("section[data-hotelviz-gallery]")) {
    const script = root.querySelector('script[type="application/json"]');
    delete root.dataset.hotelvizGallery;
    mount(root, JSON.parse(script.textContent), null);
  }
}

export default { render };
