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

function storedKeys(start) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(start));
  } catch {
    return [];
  }
}

/** A record whose names are short: each tells how much of the one before it begins with. */
function packed({ image_ids, ...record }) {
  let before = "";
  const names = image_ids.map((id) => {
    let same = 0;
    while (same < 90 && same < id.length && id[same] === before[same]) same += 1;
    before = id;
    return String.fromCharCode(35 + same) + id.slice(same);
  });
  return { ...record, names };
}

function unpacked({ names, ...record }) {
  let before = "";
  const image_ids = names.map((name) => {
    before = before.slice(0, name.charCodeAt(0) - 35) + name.slice(1);
    return before;
  });
  return { ...record, image_ids };
}

/** A record is what was decided on some photos at once; earlier versions wrote one for each photo. */
function modern({ image_id, ...record }) {
  return image_id === undefined ? record : { ...record, image_ids: [image_id] };
}

const KEPT = { action: "keep", label: "" };
const LATER = "later"; // is no decision yet
const photosIn = (records) => records.reduce((sum, { image_ids }) => sum + image_ids.length, 0);

/**
 * Decisions: of a photo the last one counts, and undoing is one more. One act may be several records:
 * they have the same time and reviewer, in the browser as in the file.
 */
class Decisions {
  constructor(key) {
    this.key = key; // of the local storage
    this.past = new Map(); // name of a photo -> its records that were not undone
    this.acts = []; // lists of records, the latest last; some may have been undone
    this.decided = 0; // photos with a decision that stands, and those that were only put off
    this.later = 0;
    this.error = "";
    this.listeners = new Set();
  }

  of(id) {
    return this.past.get(id)?.at(-1);
  }

  /** Read records as the audit does: what was undone does not count. */
  take(records) {
    for (const record of records) {
      this.count(record);
      latest = Math.max(latest, Date.parse(record.time) || 0);
    }
    this.changed();
  }

  count(record) {
    const undone = record.reason === "undo";
    for (const id of record.image_ids) {
      const past = this.past.get(id) ?? [];
      this.tally(past.at(-1), -1);
      if (undone) past.pop();
      else past.push(record);
      this.tally(past.at(-1), 1);
      this.past.set(id, past);
    }
    if (undone) return;
    const last = this.acts.at(-1);
    const together = last?.[0].time === record.time && last[0].reviewer === record.reviewer;
    if (together) last.push(record);
    else this.acts.push([record]);
  }

  tally(record, by) {
    if (record) this[record.action === LATER ? "later" : "decided"] += by;
  }

  /** Add one act: parts have an action, a label and the names of photos. */
  decide(parts, reviewer) {
    const time = now();
    this.add(parts.map((part) => ({ ...part, reason: "gallery", reviewer, time })));
  }

  /** Take back the last act that stands; return its photos and records, or null. */
  undo(reviewer) {
    while (this.acts.length) {
      const act = this.acts.pop();
      const stands = (record) => record.image_ids.filter((id) => this.of(id) === record);
      const ids = act.flatMap(stands);
      if (!ids.length) continue;
      const time = now();
      const before = groupParts(ids, (id) => this.past.get(id).at(-2) ?? KEPT);
      this.add(before.map((part) => ({ ...part, reason: "undo", reviewer, time })));
      return { ids, act };
    }
    return null;
  }

  add(records) {
    for (const record of records) this.count(record);
    this.keep(records);
    this.changed();
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  /** How many decisions stand, in words. */
  standing() {
    const later = this.later ? `, ${number(this.later)} for later` : "";
    return counted(this.decided, "decision") + later;
  }
}

/** Bring photos for which the same is decided together: one part for each action and label. */
function groupParts(ids, decisionOf) {
  const parts = new Map();
  for (const id of ids) {
    const { action, label } = decisionOf(id);
    const key = `${action} ${label}`;
    if (!parts.has(key)) parts.set(key, { action, label, image_ids: [] });
    parts.get(key).image_ids.push(id);
  }
  return [...parts.values()];
}

/** Decisions of a page on disk: in local storage, exported as the audit's CSV. */
class PageDecisions extends Decisions {
  constructor() {
    super(`hotelviz-decisions:${location.pathname}`);
    this.unstored = [];
    this.take(this.all());
  }

  /** Each act is an item of its own: another tab of the page may write as well. */
  keep(records) {
    const item = `${this.key} ${records[0].time} ${Math.random().toString(36).slice(2)}`;
    this.error = store(item, records.map(packed));
    if (this.error) this.unstored.push(...records);
  }

  /** All records, also of other tabs, and those that could not be stored; the oldest first. */
  all() {
    const items = storedKeys(`${this.key} `).flatMap(stored).map(unpacked);
    const records = [...stored(this.key).map(modern), ...items, ...this.unstored];
    return records.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  }

  status() {
    const count = this.standing();
    const text = this.past.size ? `${count} in this browser; export for hotelviz clean` : "";
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
    const rows = ({ image_ids, ...record }) => image_ids.map((id) => row({ image_id: id, ...record }));
    return [names.join(","), ...this.all().flatMap(rows), ""].join("\n");
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
    this.waiting = stored(this.key).map(modern);
  }

  start(records) {
    // What was written although its answer got lost is not counted twice.
    const there = new Set(records.map(({ time, reviewer }) => time + reviewer));
    this.take(records);
    this.take(this.waiting.filter(({ time, reviewer }) => !there.has(time + reviewer)));
    this.send();
  }

  keep(records) {
    this.waiting.push(...records);
    store(this.key, this.waiting);
    this.send();
  }

  /** Send what waits, one message at a time; what gets no answer is sent again. */
  send() {
    if (this.sent || !this.waiting.length) return;
    this.sent = true;
    tell(this.model, { type: "decide", records: this.waiting });
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
    this.waiting = this.waiting.filter(({ time }) => !done.has(time));
    store(this.key, this.waiting);
    this.again();
  }

  status() {
    const count = number(photosIn(this.waiting));
    if (this.error) return { text: `${count} not written yet: ${this.error}`, bad: true };
    if (this.waiting.length) return { text: `writing ${count} …`, bad: false };
    const text = this.acts.length ? `${this.standing()} in ${this.where}` : "";
    return { text, bad: false };
  }
}
