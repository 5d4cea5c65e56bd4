// Ratings on their way to the store. One is sent at a time and repeated until it is acknowledged;
// each has a key of its own, so that repeating does no harm. They are kept in the browser as well:
// a page that is closed or reloaded sends them when its rater enters again.

const ANSWER_WITHIN = 8000;
const LONGEST_PAUSE = 8000;

function uuid() {
  // crypto.randomUUID is there on https and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Queue {
  constructor(send, told) {
    this.send = send; // hands a message to the store's side
    this.told = told; // is told of what became of each, and of every change
    this.waiting = [];
    this.trouble = "";
    this.pause = 1000;
    this.timer = null;
    this.shelf = null;
  }

  // Where this tab keeps what waits; what other tabs of the rater left there is adopted: the store
  // takes each rating once, whoever sends it.
  open(name) {
    this.shelf = `${name}/${uuid()}`;
    try {
      for (const shelf of Object.keys(localStorage).filter((one) => one.startsWith(`${name}/`))) {
        this.waiting.push(...JSON.parse(localStorage.getItem(shelf)));
        localStorage.removeItem(shelf);
      }
    } catch (error) {
      this.shelf = null; // a browser that keeps nothing; the page itself still does
    }
    this.keep();
    this.next();
  }

  keep() {
    try {
      if (this.shelf && this.waiting.length) {
        localStorage.setItem(this.shelf, JSON.stringify(this.waiting));
      } else if (this.shelf) {
        localStorage.removeItem(this.shelf);
      }
    } catch (error) {
      this.shelf = null;
    }
  }

  add(message) {
    this.waiting.push(message);
    this.keep();
    if (this.waiting.length === 1) this.next();
    this.told(null, null);
  }

  next() {
    clearTimeout(this.timer);
    if (!this.waiting.length) return;
    this.send(this.waiting[0]);
    this.timer = setTimeout(() => {
      this.trouble = "the server does not answer (reload the page if this lasts)";
      this.told(null, null);
      this.next();
    }, ANSWER_WITHIN);
  }

  // An answer to a rating or an undo: saved, taken and refused end it, failed has it sent again.
  answered(answer) {
    const message = this.waiting[0];
    if (!message || message.key !== answer.key || message.type !== answer.of) return;
    clearTimeout(this.timer);
    if (answer.type === "failed") {
      this.trouble = answer.message;
      this.timer = setTimeout(() => this.next(), this.pause);
      this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
      this.told(null, null);
      return;
    }
    this.waiting.shift();
    this.keep();
    this.trouble = "";
    this.pause = 1000;
    this.told(message, answer);
    this.next();
  }

  close() {
    clearTimeout(this.timer);
  }
}
