// The rater's page: one photo at a time, rated by one key. The last of its files, which starts it.

class Page {
  constructor(model, el) {
    this.model = model;
    this.view = uuid();
    this.alone = document.body.dataset.voila !== undefined;
    this.queue = new Queue((message) => this.say(message), (...what) => this.told(...what));
    this.server = new Server(() => this.lost());
    const arrived = (position) => position === this.position && this.show();
    this.photos = new Photos((message) => this.say(message), arrived);
    this.items = [];
    this.done = new Map(); // position -> {key, said}
    this.history = []; // positions, the last one last
    this.position = null;
    this.before = null; // what was said of this photo before it was taken back
    this.remarked = -Infinity; // when something was told
    this.durations = []; // of the last ratings, in milliseconds
    this.keys = new Map(); // key -> choice
    this.reasons = []; // what the keys 1, 2, … do in a dialog
    buildPage(this, el);
    this.hear = (message, buffers) => {
      if (message.view === this.view) this.heard(message, buffers);
    };
    model.on("msg:custom", this.hear);
    this.onkey = (event) => onKey(this, event);
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
    this.server.close();
    this.photos.close();
  }

  /** Hand a message to the store's side; what gets no answer is sent again. */
  say(message) {
    try {
      this.model.send({ ...message, view: this.view });
    } catch (error) {
      // The kernel has died: this is no reason to forget the rating that was just given.
    }
  }

  hello() {
    this.say({ type: "hello" });
    this.greeting = setTimeout(() => this.hello(), 4000);
  }

  enter(name) {
    this.name = name;
    this.say({ type: "enter", name });
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }

  // -- what the store's side says

  heard(message, buffers) {
    if (message.type === "round") this.begin(message);
    else if (message.type === "state") this.state(message);
    else if (message.type === "photo") this.photos.keep(message, buffers);
    else if (message.type === "finished") this.finished();
    else if (message.type === "who") this.enter(this.name);
    else if (message.of === "rate" || message.of === "undo") this.queue.answered(message);
    else this.complain(message);
  }

  begin(round) {
    clearTimeout(this.greeting);
    if (this.round) return; // greeted twice: what was typed meanwhile stays
    this.round = round;
    this.title.textContent = round.question;
    if (this.alone) document.title = round.question;
    buildChoices(this);
    askName(this);
  }

  complain({ message, type, of }) {
    if (this.position === null && this.warning) this.warning.textContent = message;
    else this.note.textContent = message;
    if (type !== "failed" || of === "hello") return;
    const again = of === "enter" ? { type: of, name: this.name } : { type: "state" };
    setTimeout(() => this.say(again), 3000);
  }

  state({ rater, name, items, last }) {
    const first = this.rater === undefined;
    this.rater = rater;
    this.name = name;
    this.who.textContent = name;
    if (first) this.queue.open(`hotelviz-label/${this.round.uid}/${rater}`);
    this.items = items.map((item) => item.position);
    this.done = new Map(items.filter((item) => item.key).map((item) => [item.position, item]));
    const positions = new Map(items.map((item) => [item.key, item.position]));
    this.history = last.filter((key) => positions.has(key)).map((key) => positions.get(key));
    // What was not acknowledged yet still counts here.
    for (const waiting of this.queue.waiting) this.apply(waiting);
    this.foot.hidden = this.progress.hidden = false;
    if (this.position === null || this.done.has(this.position)) this.forward();
    this.figures();
  }

  apply({ type, key, position, score, tag, reason }) {
    this.history = this.history.filter((one) => one !== position);
    if (type === "rate") {
      this.done.set(position, { key, said: score ?? tag ?? reason });
      this.history.push(position);
    } else this.done.delete(position);
  }

  /** Say that the server is gone, or no longer, above the photo. */
  lost() {
    this.alarm.textContent = this.server.sentence(this.queue.waiting.length);
  }

  /** Show what became of a rating, and of those that wait. */
  told(message, answer) {
    const { waiting, trouble } = this.queue;
    if (this.server.state) this.lost();
    this.saved.classList.toggle("trouble", Boolean(trouble));
    // Read out where something is wrong, not after each key.
    if (trouble) this.saved.setAttribute("role", "alert");
    else this.saved.removeAttribute("role");
    this.saved.textContent = trouble
      ? `${waiting.length} not saved yet: ${trouble}; retrying. Kept in this browser meanwhile.`
      : waiting.length ? "saving…" : "saved";
    if (!answer) return;
    if (answer.type === "taken") {
      this.remark("You had rated that photo already, in another tab: the first rating stays.");
    } else if (answer.type === "refused") this.remark(`Not kept: ${answer.message}`);
    const missed = !waiting.length && answer.done !== this.done.size;
    if (answer.type !== "saved" || missed) this.say({ type: "state" });
  }

  // -- which photo is shown

  forward() {
    this.before = null;
    this.go(this.items.find((position) => !this.done.has(position)));
  }

  go(position) {
    this.position = position ?? null;
    this.foot.classList.toggle("over", this.position === null);
    if (this.position === null) {
      this.stage.removeAttribute("data-position");
      showCard(this, make("p", {}, "Looking for more…"));
      this.say({ type: "more" });
      return;
    }
    this.show();
    const next = this.items.filter((one) => one !== position && !this.done.has(one));
    this.photos.preload(position, next, this.history);
  }

  show() {
    const photo = this.photos.ready(this.position);
    this.stage.dataset.position = this.position;
    this.since = photo ? performance.now() : null;
    if (!photo) showCard(this, make("p", {}, "The photo is on its way…"));
    else if (photo.error) this.showError(photo.error);
    else this.showPhoto(photo);
  }

  showError(error) {
    showCard(this, make("p", {}, `This photo ${error}.`),
      button({ class: "main", onclick: () => this.rate({ reason: error }) }, "Skip it"),
      make("p", { class: "quiet" }, "Enter skips it too; it is listed for those who run this."));
  }

  showPhoto({ image, truncated }) {
    image.alt = `Photo ${this.items.indexOf(this.position) + 1} of ${this.items.length}`;
    this.stage.replaceChildren(image);
    for (const choice of this.choices.children) {
      choice.classList.toggle("before", this.before === choice.dataset.value);
    }
    const notes = [];
    if (this.before !== null) notes.push(`Before, you said: ${this.before.replaceAll("_", " ")}.`);
    if (truncated) notes.push("The file ends too early: the rest of the photo is missing.");
    const read = performance.now() > this.remarked + 4000;
    if (notes.length || read) this.note.textContent = notes.join(" ");
  }

  /** Tell what happened; it outlives the next photo, so that it can be read. */
  remark(text) {
    this.note.textContent = text;
    this.remarked = performance.now();
  }

  // -- what the rater does

  choose({ value }) {
    this.rate(this.round.task === "tags" ? { tag: value } : { score: value });
  }

  rate(what) {
    const photo = this.photos.ready(this.position);
    // Nobody rates a photo that they have not seen.
    if (!photo || this.dialog.open) return;
    if (photo.error && !what.reason) return;
    const duration = performance.now() - this.since;
    const seconds = Math.round(duration) / 1000;
    const message = { type: "rate", key: uuid(), position: this.position, ...what, seconds };
    this.apply(message);
    this.durations = [...this.durations.slice(-30), Math.min(duration, 120000)];
    this.forward(); // the next photo first, the rest after it
    this.queue.add(message);
    this.figures();
  }

  undo() {
    const position = this.history.at(-1);
    if (position === undefined || this.dialog.open) return;
    const { key, said } = this.done.get(position);
    const message = { type: "undo", key, position };
    this.apply(message);
    this.queue.add(message);
    this.before = String(said);
    this.go(position);
    this.figures();
  }

  figures() {
    const [done, total] = [this.done.size, this.items.length];
    this.progress.max = Math.max(total, 1);
    this.progress.value = done;
    let text = `${done} of ${total}`;
    if (this.durations.length > 4) {
      const pace = this.durations.reduce((sum, one) => sum + one, 0) / this.durations.length / 1000;
      const minutes = (pace * (total - done)) / 60;
      const left = minutes < 1 ? "a minute" : `${Math.ceil(minutes)} min`;
      text += ` · ${pace.toFixed(1)} s a photo`;
      if (done < total) text += ` · about ${left} left`;
    }
    this.count.textContent = text;
    this.back.disabled = !this.history.length;
  }

  finished() {
    showCard(this, make("p", { class: "large" }, "All done. Thank you!"),
      make("p", {}, `You have rated ${this.done.size} photos. This page can be closed` +
        " as soon as it says that all is saved."));
    this.focus();
  }
}

export default {
  render({ model, el }) {
    const page = new Page(model, el);
    return () => page.close();
  },
};
