// Where photos come from: the page or the folder beside it, or the kernel as they come into view.

const THUMBNAILS = 600; // kept in memory at once, live
const ASKED = 24; // photos asked for at once, live

let pageDecisions = null;

/** All galleries of a page share its decisions. */
function pageSource(table) {
  const folder = document.querySelector('meta[name="hotelviz:files"]')?.content ?? "";
  const photo = (row) => {
    if (table.errors[row] !== undefined) return { error: table.errors[row] };
    const embedded = table.photos && table.photos[row];
    if (embedded) return { url: `data:image/jpeg;base64,${embedded}` };
    return { url: `${folder}${table.folder}/${row}.jpg` };
  };
  pageDecisions ||= new PageDecisions();
  return {
    decisions: pageDecisions,
    photo,
    want() {},
    large: (row) => Promise.resolve(photo(row)), // a page has no larger one
    close() {},
  };
}

/** Photos are asked of the kernel; what was seen last is kept, and no more. */
class LiveSource {
  constructor(model, table, arrived) {
    this.model = model;
    this.arrived = arrived; // is called when photos came
    this.kept = new Map(); // row -> photo, what was seen last at the end
    this.wanted = [];
    this.unanswered = new Map(); // kind of a question -> timer
    this.enlarged = new Map(); // row and whether whole -> what its large photo is given to
    this.saved = null; // what is told how saving went
    const photos = `${table.size}:${table.ids[0]}`;
    this.decisions = new LiveDecisions(model, table.decisions.where, photos);
    this.hear = (message, buffers) => this.heard(message, buffers);
    model.on("msg:custom", this.hear);
    this.ask({ type: "decisions" });
  }

  /** Send a question again until it is answered: a kernel that just restarted loses messages. */
  ask(message) {
    clearTimeout(this.unanswered.get(message.type));
    tell(this.model, message);
    this.unanswered.set(message.type, setTimeout(() => this.ask(message), 1000));
  }

  /** Was this kind of question open? */
  answered(kind) {
    clearTimeout(this.unanswered.get(kind));
    return this.unanswered.delete(kind);
  }

  photo(row) {
    return this.kept.get(row);
  }

  want(rows) {
    this.wanted = rows;
    for (const row of rows) {
      const entry = this.kept.get(row);
      if (!entry) continue;
      this.kept.delete(row);
      this.kept.set(row, entry);
    }
    this.askPhotos();
  }

  askPhotos() {
    if (this.unanswered.has("photos")) return;
    const rows = this.wanted.filter((row) => !this.kept.has(row)).slice(0, ASKED);
    if (rows.length) this.ask({ type: "photos", rows });
  }

  /** A photo as large as the screen, or whole: with all its pixels, to be looked at closely. */
  large(row, whole = false) {
    return new Promise((resolve) => {
      this.enlarged.set(`${row} ${whole}`, resolve);
      this.ask({ type: "large", row, whole });
    });
  }

  /** Save rows as a catalogue; return what is told of it. */
  save(rows, path) {
    return new Promise((resolve) => {
      this.saved = resolve;
      // Not asked twice: it might be saved twice.
      tell(this.model, { type: "save", rows, path });
      setTimeout(() => resolve({ error: "The kernel does not answer; try again." }), 30_000);
    });
  }

  heard(message, buffers) {
    if (message.type === "photos") {
      this.answered("photos");
      this.keepPhotos(message.photos, buffers);
      this.arrived();
      this.askPhotos();
    } else if (message.type === "large") {
      this.answered("large");
      const asked = `${message.row} ${message.whole}`;
      this.enlarged.get(asked)?.(this.asPhoto(message, buffers[0]));
      this.enlarged.delete(asked);
    } else if (message.type === "saved") {
      this.saved?.(message);
    } else if (message.type === "decisions" && this.answered("decisions")) {
      this.decisions.error = message.error || "";
      this.decisions.start(message.records);
    } else if (message.type === "decided") this.decisions.answered(message);
  }

  asPhoto({ error }, data) {
    if (error) return { error };
    return { url: URL.createObjectURL(new Blob([data], { type: "image/jpeg" })) };
  }

  keepPhotos(photos, buffers) {
    photos.forEach((about, place) => {
      if (this.kept.has(about.row)) return;
      const [data, map] = buffers.slice(2 * place, 2 * place + 2);
      this.kept.set(about.row, {
        caption: about.caption,
        map: map && map.byteLength ? bytes(map) : null,
        ...this.asPhoto(about, data),
      });
    });
    const needed = new Set(this.wanted);
    for (const [row, { url }] of this.kept) {
      if (this.kept.size <= THUMBNAILS) break;
      if (needed.has(row)) continue;
      if (url) URL.revokeObjectURL(url);
      this.kept.delete(row);
    }
  }

  close() {
    this.model.off("msg:custom", this.hear);
    for (const { url } of this.kept.values()) if (url) URL.revokeObjectURL(url);
    for (const timer of this.unanswered.values()) clearTimeout(timer);
    clearTimeout(this.decisions.timer);
  }
}
