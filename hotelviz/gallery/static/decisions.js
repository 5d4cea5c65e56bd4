// Decisions on photos, and where they are kept: in the browser, or by the kernel.

let latest = 0;
/** The time, in steps: no two decisions of a page have the same, and none is before one it saw. */
function now() {
  latest = Math.max(Date.now(), latest + 1);
  return new Date(latest).toISOString().replace("Z", "+00:00");
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

/** Decisions: of a photo the last one counts, and undoing is one more line. */
class Decisions {
  constructor(key) {
    this.key = key; // of the local storage
    this.past = new Map(); // name of a photo -> its decisions that were not undone
    this.mine = []; // the photos of this page's decisions that were not undone, in their order
    this.error = "";
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
    const place = this.mine.lastIndexOf(line.image_id);
    if (!undone) this.mine.push(line.image_id);
    else if (place >= 0) this.mine.splice(place, 1);
  }

  /** How many photos have a decision that stands. */
  standing() {
    return [...this.past.values()].filter((past) => past.length).length;
  }

  decide(id, action, label, reviewer) {
    this.add({ image_id: id, action, label, reason: "gallery", reviewer, time: now() });
  }

  /** Undo this page's last decision that stands, or else the given photo's; return the photo. */
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

/** Decisions of a page on disk: in local storage, exported as the audit's CSV. */
class PageDecisions extends Decisions {
  constructor() {
    super(`hotelviz-decisions:${location.pathname}`);
    this.lines = stored(this.key);
    this.take(this.lines, true);
  }

  keep(entry) {
    // Another tab of the same page may have written meanwhile.
    this.lines = [...stored(this.key), entry];
    this.error = store(this.key, this.lines);
  }

  status() {
    const count = counted(this.standing(), "decision");
    const text = this.lines.length ? `${count} in this browser; export for hotelviz clean` : "";
    return { text: this.error || text, bad: Boolean(this.error) };
  }

  csv() {
    const names = ["image_id", "action", "label", "reason", "reviewer", "time"];
    // What people wrote is one line; names of photos and classes stay as they are.
    const oneLine = (text) => text.split(/\r\n|[\n\r\u2028\u2029]/).join(" ");
    const field = (name, value) => {
      const text = String(value ?? "");
      const shown = ["reason", "reviewer"].includes(name) ? oneLine(text) : text;
      return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
    };
    const row = (line) => names.map((name) => field(name, line[name])).join(",");
    return [names.join(","), ...stored(this.key).map(row), ""].join("\n");
  }
}

/** Send to the kernel. One that has died throws: what gets no answer is sent again in any case. */
function tell(model, message) {
  try {
    model.send(message);
  } catch (error) {
    // The timer of whoever asked does the rest.
  }
}

/** Decisions of a live gallery: sent to the kernel, kept in the browser until it says "decided". */
class LiveDecisions extends Decisions {
  constructor(model, where, photos) {
    super(`hotelviz-pending:${where}:${photos}`);
    this.model = model;
    this.where = where;
    this.waiting = stored(this.key);
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
    tell(this.model, { type: "decide", entries: this.waiting });
    this.timer = setTimeout(() => {
      this.error = "the kernel does not answer; kept here: run the cell again";
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
    this.error = message.error || "";
    if (this.error) {
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
    const count = number(this.waiting.length);
    if (this.error) return { text: `${count} not written yet: ${this.error}`, bad: true };
    if (this.waiting.length) return { text: `writing ${count} …`, bad: false };
    const text = this.written ? `${number(this.written)} written to ${this.where}` : "";
    return { text, bad: false };
  }
}
