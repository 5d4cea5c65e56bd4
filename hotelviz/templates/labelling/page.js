// The rater's page: one photo at a time, rated by one key.

const AHEAD = 3;
const HELP = [
  ["← Backspace u", "back: takes the last one back, to do it again"],
  ["s", "skip, with a reason"],
  ["?", "this help"],
  ["Esc", "close"],
];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  // Text only ever becomes a text node: names and classes come from people and data.
  element.append(...children);
  return element;
}

class Page {
  constructor(model, el) {
    this.model = model;
    this.view = uuid();
    this.alone = document.body.dataset.voila !== undefined;
    this.queue = new Queue((message) => this.say(message), (...what) => this.told(...what));
    this.items = [];
    this.done = new Map(); // place -> {key, said}
    this.history = []; // places, the last one last
    this.photos = new Map(); // place -> {image, url, problem, truncated}
    this.asked = new Set();
    this.place = null;
    this.before = null; // what was said of this photo before it was taken back
    this.started = [];
    this.build(el);
    this.hear = (message, buffers) => {
      if (message.view === this.view) this.heard(message, buffers);
    };
    model.on("msg:custom", this.hear);
    this.onkey = (event) => this.key(event);
    (this.alone ? document : this.root).addEventListener("keydown", this.onkey);
    this.onleave = (event) => this.queue.waiting.length && event.preventDefault();
    window.addEventListener("beforeunload", this.onleave);
    this.hello();
  }

  close() {
    this.model.off("msg:custom", this.hear);
    document.removeEventListener("keydown", this.onkey);
    window.removeEventListener("beforeunload", this.onleave);
    clearTimeout(this.greeting);
    this.queue.close();
    for (const place of [...this.photos.keys()]) this.forget(place);
  }

  say(message) {
    this.model.send({ ...message, view: this.view });
  }

  hello() {
    this.say({ type: "hello" });
    this.greeting = setTimeout(() => this.hello(), 4000);
  }

  // -- what is on the page

  build(el) {
    this.root = make("section", { class: `hotelviz-label${this.alone ? " alone" : ""}`, tabindex: "-1", "data-lm-suppress-shortcuts": "true",
      "aria-label": "Labelling photos" });
    this.title = make(this.alone ? "h1" : "h3", {}, "Loading…");
    this.who = make("span", { class: "who" });
    this.saved = make("span", { class: "saved" });
    this.progress = make("progress", { max: 1, value: 0, "aria-label": "Rated photos" });
    this.count = make("span", { class: "count" });
    this.stage = make("div", { class: "stage" });
    this.note = make("p", { class: "note", role: "status" });
    this.choices = make("div", { class: "choices", role: "group", "aria-label": "Your answer" });
    this.ends = make("div", { class: "ends", "aria-hidden": "true" });
    this.back = this.button("Back", "←", () => this.undo());
    this.skip = this.button("Skip", "s", () => this.chooseReason());
    this.helper = this.button("Help", "?", () => this.showHelp());
    this.tools = make("div", { class: "tools" }, this.back, this.skip, this.helper);
    this.dialog = make("dialog", { class: "card" });
    this.dialog.addEventListener("close", () => this.root.focus({ preventScroll: true }));
    this.head = make("header", {}, this.title, make("div", { class: "facts" }, this.progress,
      this.count, this.who, this.saved));
    this.foot = make("footer", {}, this.note, this.choices, this.ends, this.tools);
    this.root.append(this.head, this.stage, this.foot, this.dialog);
    this.foot.hidden = this.progress.hidden = true;
    el.append(this.root);
  }

  button(text, key, act, label) {
    const children = key ? [make("kbd", { "aria-hidden": "true" }, key), ` ${text}`] : [text];
    return make("button", { type: "button", onclick: act, "aria-label": label || text,
      "aria-keyshortcuts": key === "←" ? "ArrowLeft" : key || null }, ...children);
  }

  card(...children) {
    this.stage.replaceChildren(make("div", { class: "card" }, ...children));
  }

  askName() {
    const { raters, free } = this.round;
    const field = make("input", { type: "text", required: "", maxlength: 60, autocomplete: "off",
      dir: "auto", id: `name-${this.view}` });
    const enter = (name) => name.trim() && this.enter(name);
    const form = make("form", {}, make("label", { for: field.id }, "Your name"),
      make("div", { class: "row" }, field, make("button", { class: "main" }, "Start")));
    form.addEventListener("submit", (event) => { event.preventDefault(); enter(field.value); });
    const known = raters.map((name) => make("li", {}, make("button",
      { type: "button", dir: "auto", onclick: () => enter(name) }, name)));
    this.card(form,
      make("p", {}, free ? `${free} ${free === 1 ? "place is" : "places are"} free. ` +
        "Whoever was here before goes on where they stopped." :
        "All places are taken; choose your name to go on."),
      ...(known.length ? [make("p", {}, "Here before:"), make("ul", { class: "names" }, ...known)] : []),
      this.warning = make("p", { class: "warning", role: "alert" }));
    if (this.alone) field.focus();
  }

  enter(name) {
    this.name = name;
    this.say({ type: "enter", name });
  }

  // -- what the store's side says

  heard(message, buffers) {
    if (message.type === "round") {
      clearTimeout(this.greeting);
      if (this.round) return; // greeted twice: what was typed meanwhile stays
      this.round = message;
      this.title.textContent = message.question;
      if (this.alone) document.title = message.question;
      this.buildChoices();
      this.askName();
    } else if (message.type === "state") this.state(message);
    else if (message.type === "photo") this.keepPhoto(message, buffers);
    else if (message.type === "finished") this.finished();
    else if (message.type === "who") this.enter(this.name);
    else if (message.of === "rate" || message.of === "undo") this.queue.answered(message);
    else this.complain(message);
  }

  complain({ message, type, of }) {
    if (this.place === null && this.warning) this.warning.textContent = message;
    else this.note.textContent = message;
    if (type === "failed" && of !== "hello") setTimeout(() => this.say(of === "enter" ?
      { type: of, name: this.name } : { type: "state" }), 3000);
  }

  state({ seat, name, items, last }) {
    const first = this.seat === undefined;
    this.seat = seat;
    this.name = name;
    this.who.textContent = name;
    if (first) this.queue.open(`hotelviz-label/${this.round.uid}/${seat}`);
    this.items = items.map((item) => item.place);
    this.done = new Map(items.filter((item) => item.key).map((item) => [item.place, item]));
    const places = new Map(items.map((item) => [item.key, item.place]));
    this.history = last.filter((key) => places.has(key)).map((key) => places.get(key));
    // What was not acknowledged yet still counts here.
    for (const waiting of this.queue.waiting) this.apply(waiting);
    this.foot.hidden = this.progress.hidden = false;
    if (this.place === null || this.done.has(this.place)) this.forward();
    this.figures();
  }

  apply(message) {
    if (message.type === "rate") {
      const said = message.score ?? message.tag ?? message.reason;
      this.done.set(message.place, { key: message.key, said });
      this.history = [...this.history.filter((place) => place !== message.place), message.place];
    } else {
      this.done.delete(message.place);
      this.history = this.history.filter((place) => place !== message.place);
    }
  }

  told(message, answer) {
    const { waiting, trouble } = this.queue;
    this.saved.classList.toggle("trouble", Boolean(trouble));
    // Read out where something is wrong, not after each key.
    if (trouble) this.saved.setAttribute("role", "alert");
    else this.saved.removeAttribute("role");
    this.saved.textContent = trouble
      ? `${waiting.length} not saved yet: ${trouble}; retrying. Kept in this browser meanwhile.`
      : waiting.length ? "saving…" : "saved";
    if (!answer) return;
    if (answer.type === "taken") {
      this.note.textContent = "You had rated that photo already, in another tab: the first rating stays.";
    } else if (answer.type === "refused") {
      this.note.textContent = `Not kept: ${answer.message}`;
    }
    const missed = !waiting.length && answer.done !== this.done.size;
    if (answer.type !== "saved" || missed) this.say({ type: "state" });
  }

  // -- photos

  keepPhoto({ place, problem, truncated }, buffers) {
    this.asked.delete(place);
    const shown = { problem, truncated };
    if (!problem) {
      shown.url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" }));
      shown.image = new Image();
      shown.image.src = shown.url;
    }
    this.photos.set(place, shown);
    // Decoded ahead, a photo is there in the very frame in which it is put on the page.
    const ready = shown.image ? shown.image.decode().catch(() => {
      shown.problem = "cannot be shown: this browser does not decode it";
    }) : Promise.resolve();
    ready.then(() => {
      shown.ready = true;
      if (place === this.place) this.show();
    });
  }

  forget(place) {
    const photo = this.photos.get(place);
    if (photo && photo.url) URL.revokeObjectURL(photo.url);
    this.photos.delete(place);
  }

  preload() {
    const open = this.items.filter((place) => place !== this.place && !this.done.has(place));
    const wanted = [this.place, ...open.slice(0, AHEAD)];
    const missing = wanted.filter((place) => !this.photos.has(place) && !this.asked.has(place));
    for (const place of missing) this.asked.add(place);
    // One message each: an answer to a rating need not wait for all of them.
    for (const place of missing) this.say({ type: "photos", places: [place] });
    const kept = new Set([...wanted, ...this.history.slice(-2)]);
    for (const place of [...this.photos.keys()]) if (!kept.has(place)) this.forget(place);
  }

  forward() {
    this.before = null;
    this.go(this.items.find((place) => !this.done.has(place)));
  }

  go(place) {
    if (place === undefined) {
      this.place = null;
      this.stage.removeAttribute("data-place");
      this.card(make("p", {}, "Looking for more…"));
      this.foot.classList.add("over");
      this.say({ type: "more" });
      return;
    }
    this.place = place;
    this.foot.classList.remove("over");
    this.show();
    this.preload();
  }

  show() {
    const photo = this.photos.get(this.place);
    this.stage.dataset.place = this.place;
    if (!photo || !photo.ready) {
      this.card(make("p", {}, "The photo is on its way…"));
      this.since = null;
      return;
    }
    this.since = performance.now();
    if (photo.problem) {
      this.card(make("p", {}, `This photo ${photo.problem}.`),
        make("button", { type: "button", class: "main", onclick: () => this.rate({ reason: photo.problem }) },
          "Skip it"), make("p", { class: "quiet" }, "Enter skips it too; it is listed for those who run this."));
      return;
    }
    photo.image.alt = `Photo ${this.items.indexOf(this.place) + 1} of ${this.items.length}`;
    this.stage.replaceChildren(photo.image);
    for (const button of this.choices.children) {
      button.classList.toggle("before", this.before === button.dataset.value);
    }
    const notes = [];
    if (this.before !== null) notes.push(`Before, you said: ${this.before.replaceAll("_", " ")}.`);
    if (photo.truncated) notes.push("The file ends too early: the rest of the photo is missing.");
    if (notes.length || this.before === null) this.remark(notes.join(" "));
  }

  // A remark on what happened outlives the next photo, so that it can be read.
  remark(text) {
    if (text || performance.now() - (this.remarked || 0) > 4000) this.note.textContent = text;
  }

  // -- what the rater does

  buildChoices() {
    this.keys = new Map();
    const tags = this.round.task === "tags";
    this.root.classList.toggle("tags", tags);
    this.choices.replaceChildren(...this.round.choices.map((choice) => {
      if (choice.key) this.keys.set(choice.key, choice);
      const button = this.button(tags ? choice.text : "", choice.key, () => this.choose(choice),
        tags ? choice.text : `${choice.text} of 10`);
      if (!tags) button.replaceChildren(choice.text);
      button.dataset.value = choice.value;
      return button;
    }));
    this.ends.replaceChildren(...(tags ? [] : [make("span", {}, "1 poor"), make("span", {}, "key 0 is 10"),
      make("span", {}, "10 excellent")]));
  }

  choose(choice) {
    this.rate(this.round.task === "tags" ? { tag: choice.value } : { score: choice.value });
  }

  rate(what) {
    const photo = this.photos.get(this.place);
    // Nobody rates a photo that they have not seen.
    if (this.place === null || !photo || !photo.ready || this.dialog.open) return;
    if (photo.problem && !what.reason) return;
    const now = performance.now();
    const message = { type: "rate", key: uuid(), place: this.place, ...what,
      seconds: Math.round(now - this.since) / 1000 };
    this.apply(message);
    this.started = [...this.started.slice(-30), Math.min(now - this.since, 120000)];
    this.forward(); // the next photo first, the rest after it
    this.queue.add(message);
    this.figures();
  }

  undo() {
    const place = this.history.at(-1);
    if (place === undefined || this.dialog.open) return;
    const { key, said } = this.done.get(place);
    const message = { type: "undo", key, place };
    this.apply(message);
    this.queue.add(message);
    this.before = String(said);
    this.go(place);
    this.figures();
  }

  figures() {
    const [done, total] = [this.done.size, this.items.length];
    this.progress.max = Math.max(total, 1);
    this.progress.value = done;
    let text = `${done} of ${total}`;
    if (this.started.length > 4) {
      const pace = this.started.reduce((sum, one) => sum + one, 0) / this.started.length / 1000;
      const left = (pace * (total - done)) / 60;
      text += ` · ${pace.toFixed(1)} s a photo`;
      if (done < total) text += ` · about ${left < 1 ? "a minute" : `${Math.ceil(left)} min`} left`;
    }
    this.count.textContent = text;
    this.back.disabled = !this.history.length;
  }

  finished() {
    this.card(make("p", { class: "large" }, "All done. Thank you!"),
      make("p", {}, `You have rated ${this.done.size} photos. This page can be closed` +
        " as soon as it says that all is saved."));
    this.root.focus({ preventScroll: true });
  }

  open(title, ...children) {
    this.dialog.replaceChildren(make("h2", {}, title), ...children,
      make("div", { class: "row" }, this.button("Close", "", () => this.dialog.close())));
    this.dialog.setAttribute("aria-label", title);
    this.dialog.showModal();
  }

  chooseReason() {
    if (this.place === null || this.dialog.open) return;
    const pick = (reason) => { this.dialog.close(); this.rate({ reason }); };
    this.reasons = this.round.reasons.map((reason) => () => pick(reason));
    const field = make("input", { type: "text", maxlength: 300, dir: "auto", id: `why-${this.view}` });
    const form = make("form", {}, make("label", { for: field.id }, "Another reason"),
      make("div", { class: "row" }, field, make("button", {}, "Skip")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) pick(field.value.trim());
    });
    this.open("Skip, because…", make("div", { class: "reasons" }, ...this.round.reasons.map(
      (reason, number) => this.button(reason, String(number + 1), () => pick(reason)))), form);
  }

  showHelp() {
    if (this.dialog.open) return;
    this.reasons = [];
    const tags = this.round && this.round.task === "tags";
    const rows = [tags ? ["1 2 3 …", "the tag beside the key"] : ["1 … 9 0", "the score; 0 is 10"], ...HELP];
    this.open("Keys", make("dl", {}, ...rows.flatMap(([keys, what]) => [make("dt", {}, ...keys.split(" ").map(
      (key) => make("kbd", {}, key))), make("dd", {}, what)])));
  }

  key(event) {
    const typing = event.target.matches("input, textarea, select, [contenteditable]");
    const inside = this.root.contains(event.target);
    if (!inside && typing) return;
    // The notebook around must not take these keys for its own.
    if (inside) event.stopPropagation();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // A key that is held down rates one photo, not all that follow.
    if (event.repeat) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (this.dialog.open) {
      const reason = (this.reasons || [])[Number(key) - 1];
      if (reason) { event.preventDefault(); reason(); }
      return;
    }
    const problem = (this.photos.get(this.place) || {}).problem;
    let act = null;
    if (["ArrowLeft", "Backspace", "u"].includes(key)) act = () => this.undo();
    else if (key === "s") act = () => this.chooseReason();
    else if (key === "?") act = () => this.showHelp();
    else if (key === "Enter" && problem && !event.target.matches("button")) {
      act = () => this.rate({ reason: problem });
    } else if (this.keys && this.keys.has(key)) act = () => this.choose(this.keys.get(key));
    if (act) { event.preventDefault(); act(); }
  }
}

export default {
  render({ model, el }) {
    const page = new Page(model, el);
    return () => page.close();
  },
};
